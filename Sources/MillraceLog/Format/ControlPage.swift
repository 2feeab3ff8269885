internal import MillraceSystem

/// The mapped page of a partition through which writers publish and readers look.
///
/// 4,096 bytes, allocated at creation; each changing word has a cache line of its own:
///
/// | Byte | Type | Field |
/// | --- | --- | --- |
/// | 0 | u64 | magic `MLRCTRL1` |
/// | 8 | u32 | format version, 1 |
/// | 12 | u32 | CRC-32C of bytes 16 ..< 32 |
/// | 16 | u64 | topic id |
/// | 24 | u32 | partition |
/// | 64 | u64 | published: epoch in the upper 20 bits, log position / 64 in the lower 44 |
/// | 128 | u64 | end offset: at most behind `published` by the batch being published |
/// | 192 | u64 | offset ceiling: synced before any offset below it is used |
/// | 256 | u64 | segments: grows with each segment that is created or removed |
/// | 320 | u32 | futex: changes after each publication that somebody waits for |
/// | 384 | u64 | waiters |
/// | 448 | u64 | boot id of the last writer |
/// | 512 | u64 | clean: equals `published` when all before it was synced at a clean stop |
struct ControlPage: ~Copyable, Sendable {
    static let byteCount = 4096
    static let magic: UInt64 = 0x314C_5254_4352_4C4D
    static let maxEpoch: UInt64 = (1 << 20) - 1

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
    var futex: FutexWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.futex(at: 320), borrowing: self) }
    }
    var waiters: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 384), borrowing: self) }
    }
    var bootID: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 448), borrowing: self) }
    }
    var clean: AtomicWord {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(map.word(at: 512), borrowing: self) }
    }

    /// Creates the page of a new partition, allocated on the disk and durable.
    static func create(_ path: String, topicID: UInt64, partition: Int) throws(LogError) {
        var buffer = AlignedBuffer(byteCount: byteCount)
        var bytes = buffer.mutableBytes
        bytes.store(magic, at: 0)
        bytes.store(UInt32(1), at: 8)
        bytes.store(topicID, at: 16)
        bytes.store(UInt32(partition), at: 24)
        let checksum = CRC32C.checksum(bytes.bytes.extracting(16..<32))
        bytes.store(checksum, at: 12)
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
        guard version == 1 else {
            throw LogError(
                .unsupportedFormat, "control page format \(version); this program reads format 1",
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

    /// Throws when words that belong together do not fit: both only grow, the ceiling first.
    func checkOffsets() throws(LogError) {
        let end = endOffset.loadAcquiring()
        let ceiling = offsetCeiling.loadAcquiring()
        guard ceiling <= BatchHeader.maxOffset else {
            throw LogError.corrupt(
                path, at: 192, expected: "an offset ceiling of at most 2^62", found: "\(ceiling)")
        }
        guard end <= ceiling else {
            throw LogError.corrupt(
                path, at: 128, expected: "an end offset of at most the ceiling \(ceiling)",
                found: "\(end)")
        }
    }

    /// Makes the page's words durable.
    func sync() throws(LogError) {
        do { try map.sync(bytes: Self.byteCount) } catch {
            throw LogError(error, while: "cannot sync the control page")
        }
    }

    /// Wakes readers that sleep until something is published.
    func wakeWaiters() {
        // The exchange that published is sequentially consistent, as is a reader's registration:
        // either we see the waiter here or it sees the publication before it sleeps.
        if waiters.loadAcquiring() > 0 { futex.advanceAndWake() }
    }
}

/// The value of the control page's `published` word.
struct PublishedWord: Equatable, Sendable {
    /// Bumped when a writer takes over.
    let epoch: UInt64
    /// Log position up to which batches may be read.
    let position: UInt64

    init(epoch: UInt64, position: UInt64) {
        self.epoch = epoch
        self.position = position
    }

    init(_ word: UInt64) {
        epoch = word >> 44
        position = (word & ((1 << 44) - 1)) << 6
    }

    var word: UInt64 { epoch << 44 | position >> 6 }
}
