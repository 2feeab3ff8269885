internal import MillraceSystem

/// The mapped page of a partition through which writers publish and readers look.
///
/// 4,096 bytes, allocated at creation; each changing word has a cache line of its own. Words marked
/// * are checked words (`CheckedWord`):
///
/// | Byte | Type | Field |
/// | --- | --- | --- |
/// | 0 | u64 | magic `MLRCTRL1` |
/// | 8 | u32 | format version, 2 |
/// | 12 | u32 | CRC-32C of bytes 16 ..< 32 |
/// | 16 | u64 | topic id |
/// | 24 | u32 | partition |
/// | 64 | u64* | published: epoch and log position (`PublishedWord`) |
/// | 128 | u64* | end offset: at most behind `published` by the batch being published |
/// | 192 | u64* | offset ceiling: synced before any offset below it is used |
/// | 256 | u64 | segments: grows with each segment that is created or removed |
/// | 320 | u32 | data futex: changes after a publication that somebody waits for |
/// | 384 | u64 | waiters: not 0 when somebody sleeps on the data futex |
/// | 448 | u64* | boot id of the last writer |
/// | 512 | u64* | clean: equals `published` when all before it was synced at a clean stop |
/// | 576 | u64 | append lock (`SharedLock`) |
/// | 640 | u64* | durable: log position / 64 up to which everything is known to be on the disk |
/// | 704 | u64 | flusher lock (`SharedLock`) |
/// | 768 | u64* | state (`PartitionState`) |
/// | 832 | u64* | start: 16 bits that count holding readers, log position of the first segment |
/// | 896 | u64* | allocated: epoch and log position up to which the newest segment has space |
/// | 960 | u64* | start offset: rows below it were removed by retention, none was lost |
/// | 1024 | u32 | flush futex: changes after a flush that somebody waits for |
/// | 1088 | u64 | flush waiters: not 0 when somebody sleeps on the flush futex |
struct ControlPage: ~Copyable, Sendable {
    static let byteCount = 4096
    static let magic: UInt64 = 0x314C_5254_4352_4C4D
    static let version: UInt32 = 2

    private let map: MappedFile
    var path: String { map.path }

    // The words, in the order of the table above.
    // SAFETY: the page, which each word borrows, owns the mapping.
    var published: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 64), borrowing: self) }
    }
    var endOffset: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 128), borrowing: self) }
    }
    var offsetCeiling: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 192), borrowing: self) }
    }
    var segments: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 256), borrowing: self) }
    }
    var waiters: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 384), borrowing: self) }
    }
    var boot: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 448), borrowing: self) }
    }
    var clean: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 512), borrowing: self) }
    }
    var appender: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 576), borrowing: self) }
    }
    var durable: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 640), borrowing: self) }
    }
    var flusher: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 704), borrowing: self) }
    }
    var state: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 768), borrowing: self) }
    }
    var start: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 832), borrowing: self) }
    }
    var allocated: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 896), borrowing: self) }
    }
    var startOffset: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 960), borrowing: self) }
    }
    var flushWaiters: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 1088), borrowing: self) }
    }
    var futex: FutexWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.futex(at: 320), borrowing: self) }
    }
    var flushFutex: FutexWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.futex(at: 1024), borrowing: self) }
    }

    /// Byte of the page at which `published` stands, for messages.
    static let publishedByte = 64
    static let endOffsetByte = 128
    static let ceilingByte = 192
    static let bootByte = 448
    static let cleanByte = 512
    static let durableByte = 640
    static let stateByte = 768
    static let startByte = 832
    static let allocatedByte = 896
    static let startOffsetByte = 960

    /// Creates the page of a new partition, allocated on the disk and durable.
    static func create(_ path: String, topicID: UInt64, partition: Int) throws(LogError) {
        try create(
            path, topicID: topicID, partition: partition,
            at: PublishedWord(epoch: 1, position: 0), offset: 0, startOffset: 0, ceiling: 0)
    }

    /// Creates the page of a partition that begins behind rows which are in place already.
    ///
    /// Its end, synced and clean, is `published`; the first row has `startOffset`, the next gets
    /// `offset`, and none above `ceiling` has been used.
    static func create(
        _ path: String, topicID: UInt64, partition: Int, at published: PublishedWord,
        offset: UInt64, startOffset: UInt64, ceiling: UInt64
    ) throws(LogError) {
        var buffer = AlignedBuffer(byteCount: byteCount)
        var bytes = buffer.mutableBytes
        bytes.store(magic, at: 0)
        bytes.store(version, at: 8)
        bytes.store(topicID, at: 16)
        bytes.store(UInt32(partition), at: 24)
        let checksum = CRC32C.checksum(bytes.bytes.extracting(16..<32))
        bytes.store(checksum, at: 12)
        bytes.store(published.word, at: publishedByte)
        bytes.store(published.word, at: cleanByte)
        bytes.store(CheckedWord.seal(offset), at: endOffsetByte)
        bytes.store(CheckedWord.seal(ceiling), at: ceilingByte)
        bytes.store(CheckedWord.seal(startOffset), at: startOffsetByte)
        for byte in [bootByte, stateByte, startByte, allocatedByte] {
            bytes.store(CheckedWord.seal(0), at: byte)
        }
        bytes.store(CheckedWord.seal(published.position >> 6), at: durableByte)
        let content = bytes.bytes
        try wrapping("cannot create the control page") { () throws(SystemError) in
            let file = try FileHandle(path, .createNew)
            try file.allocate(bytes: byteCount)
            try file.write(content.extracting(0..<byteCount), at: 0)
            try file.sync()
        }
    }

    /// Maps and checks the page.
    init(_ path: String, topicID: UInt64, partition: Int, writable: Bool) throws(LogError) {
        let doing = "cannot open the control page"
        let file = try wrapping(doing) { () throws(SystemError) in
            try FileHandle(path, writable ? .readWrite : .read)
        }
        let size = try wrapping(doing) { () throws(SystemError) in try file.size() }
        guard size >= Self.byteCount else {
            throw LogError.corrupt(
                path, at: size, expected: "\(Self.byteCount) bytes", found: "\(size) bytes")
        }
        let map = try wrapping(doing) { () throws(SystemError) in
            try file.map(bytes: Self.byteCount, writable: writable)
        }
        try Self.check(map.bytes, path: path, topicID: topicID, partition: partition)
        self.map = map
    }

    private static func check(
        _ bytes: RawSpan, path: String, topicID: UInt64, partition: Int
    ) throws(LogError) {
        func fault(_ byte: Int, _ expected: String, _ found: String) -> LogError {
            .corrupt(path, at: byte, expected: expected, found: found)
        }
        let found: UInt64 = bytes.load(0)
        guard found == magic else { throw fault(0, "magic MLRCTRL1", hex(found)) }
        let version: UInt32 = bytes.load(8)
        guard version == Self.version else {
            throw LogError(
                .unsupportedFormat,
                "control page format \(version); this program reads format \(Self.version)",
                path: path, position: 8)
        }
        let checksum: UInt32 = bytes.load(12)
        let computed = CRC32C.checksum(bytes.extracting(16..<32))
        guard checksum == computed else {
            throw fault(12, "checksum \(hex(computed))", hex(checksum))
        }
        let id: UInt64 = bytes.load(16)
        let index: UInt32 = bytes.load(24)
        guard id == topicID, Int(index) == partition else {
            throw fault(
                16, "topic \(hex(topicID)), partition \(partition)",
                "topic \(hex(id)), partition \(index)")
        }
    }

    /// Makes the page's words durable.
    func sync() throws(LogError) {
        do { try map.sync(bytes: Self.byteCount) } catch {
            throw LogError(error, while: "cannot sync the control page")
        }
    }
}
