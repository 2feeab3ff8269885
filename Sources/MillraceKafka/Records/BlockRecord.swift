internal import MillraceInput
internal import MillraceLog
internal import MillraceSystem

/// The value of a record of format `block`: a whole batch behind 32 bytes that say what it is.
///
/// Layout, little-endian:
///
/// | Byte | Type | Field |
/// | --- | --- | --- |
/// | 0 | u32 | magic `MRBK` |
/// | 4 | u16 | version, 1 |
/// | 6 | u8 | kind of topic: 1 bytes, 2 features |
/// | 7 | u8 | element type as in the batch, 0 for bytes |
/// | 8 | u32 | CRC-32C of everything else: bytes 0 ..< 8, then 12 to the end |
/// | 12 | f32 | scale of uint8 and int8 |
/// | 16 | i32 | zero point of uint8 and int8 |
/// | 20 | u32 | features a row; 0 for bytes |
/// | 24 | u32 | 1 where rows have labels |
/// | 28 | u32 | bytes of the batch: all that follow |
/// | 32 | | the batch as in a segment (`LogFormat`), without an origin |
struct BlockHeader: Equatable {
    static let magic: UInt32 = 0x4B42_524D
    static let version: UInt32 = 1
    static let byteCount = 32
    static let elements: [ElementType] = [.float32, .float16, .bfloat16, .uint8, .int8]

    var kind: TopicConfiguration.Kind
    var decoding: ElementDecoding
    var features: Int
    var label: Bool

    init(_ configuration: TopicConfiguration) {
        kind = configuration.kind
        decoding = configuration.elementDecoding
        features = configuration.features
        label = configuration.label
    }

    /// Appends the header of a batch that is still to come; `finish` completes it.
    func begin(_ bytes: inout [UInt8]) {
        let type = kind == .bytes ? 0 : (Self.elements.firstIndex(of: decoding.type) ?? -1) + 1
        let kinds: UInt32 = kind == .bytes ? 1 : 2
        LittleEndianBytes.append(Self.magic, to: &bytes)
        LittleEndianBytes.append(Self.version | kinds << 16 | UInt32(type) << 24, to: &bytes)
        LittleEndianBytes.append(0, to: &bytes)
        LittleEndianBytes.append(decoding.scale.bitPattern, to: &bytes)
        LittleEndianBytes.append(
            UInt32(bitPattern: Int32(truncatingIfNeeded: decoding.zeroPoint)), to: &bytes)
        LittleEndianBytes.append(UInt32(features), to: &bytes)
        LittleEndianBytes.append(label ? 1 : 0, to: &bytes)
        LittleEndianBytes.append(0, to: &bytes)
    }

    /// Enters length and checksum of a block that is complete otherwise.
    static func finish(_ bytes: inout [UInt8]) {
        LittleEndianBytes.put(UInt32(bytes.count - byteCount), at: 28, in: &bytes)
        LittleEndianBytes.put(checksum(of: bytes.span), at: 8, in: &bytes)
    }

    private static func checksum(of bytes: Span<UInt8>) -> UInt32 {
        let front = CRC32C.checksum(of: bytes.extracting(0..<8))
        return CRC32C.checksum(of: bytes.extracting(12..<bytes.count), seed: front)
    }

    /// Reads and checks the header, and the checksum of the whole.
    init(reading bytes: Span<UInt8>) throws(RecordFault) {
        func require(
            _ holds: Bool, _ byte: Int, _ expected: String, _ found: String
        ) throws(RecordFault) {
            guard !holds else { return }
            throw RecordFault(
                .undecodable, "byte \(byte) of the block: expected \(expected), found \(found)")
        }
        try require(
            bytes.count >= Self.byteCount, 0, "at least \(Self.byteCount) bytes", "\(bytes.count)")
        let magic = LittleEndianBytes.word(bytes, 0)
        try require(magic == Self.magic, 0, "magic MRBK", hexadecimal(magic))
        let kinds = LittleEndianBytes.word(bytes, 4)
        try require(kinds & 0xFFFF == Self.version, 4, "version 1", "\(kinds & 0xFFFF)")
        let length = LittleEndianBytes.word(bytes, 28)
        try require(
            Int(length) == bytes.count - Self.byteCount, 28,
            "a batch of \(bytes.count - Self.byteCount) bytes", "\(length)")
        let checksum = Self.checksum(of: bytes)
        let written = LittleEndianBytes.word(bytes, 8)
        try require(
            written == checksum, 8, "checksum \(hexadecimal(checksum))", hexadecimal(written))
        // From here on only another program's mistake can be found.
        let type = Int(kinds >> 24)
        let isBytes = kinds >> 16 & 0xFF == 1
        try require(
            isBytes
                ? type == 0 : kinds >> 16 & 0xFF == 2 && (1...Self.elements.count).contains(type),
            6, "a kind and its element type", hexadecimal(kinds >> 16))
        let scale = Float(bitPattern: LittleEndianBytes.word(bytes, 12))
        try require(scale.isFinite && scale > 0, 12, "a scale above 0", "\(scale)")
        kind = isBytes ? .bytes : .features
        decoding = ElementDecoding(
            type: isBytes ? .float32 : Self.elements[type - 1], scale: scale,
            zeroPoint: Int(Int32(bitPattern: LittleEndianBytes.word(bytes, 16))))
        features = Int(LittleEndianBytes.word(bytes, 20))
        label = LittleEndianBytes.word(bytes, 24) & 1 == 1
    }
}

/// `value` as 0x and hexadecimal digits.
private func hexadecimal(_ value: UInt32) -> String { "0x" + String(value, radix: 16) }

/// Turns rows of a topic into blocks.
///
/// **Thread-safety**: one owner.
struct BlockWriter: ~Copyable {
    private let header: BlockHeader
    private var packer: BatchPacker

    init(_ configuration: TopicConfiguration) {
        header = BlockHeader(configuration)
        packer = BatchPacker(configuration: configuration)
    }

    /// Makes one block of the builder's rows, and resets the builder.
    mutating func pack(
        _ builder: inout BatchBuilder, into bytes: inout [UInt8]
    ) throws(LogError) {
        bytes.removeAll(keepingCapacity: true)
        header.begin(&bytes)
        try packer.pack(&builder, into: &bytes)
        BlockHeader.finish(&bytes)
    }
}

/// Turns blocks into rows of a topic.
///
/// **Thread-safety**: one owner.
struct BlockReader: ~Copyable {
    private let configuration: TopicConfiguration
    private var decoding: ElementDecoding
    private var unpacker: BatchUnpacker
    private var widened: [Float] = []

    init(_ configuration: TopicConfiguration) {
        self.configuration = configuration
        decoding = configuration.elementDecoding
        unpacker = BatchUnpacker(decoding: decoding)
    }

    /// Adds all rows of a block, or none; returns how many.
    mutating func add(
        _ bytes: Span<UInt8>, _ context: RecordContext, to builder: inout BatchBuilder
    ) throws(RecordFault) -> Int {
        let configuration = configuration
        // Out of the way of `read`, which has the rest of the reader to itself.
        var memory: [Float] = []
        swap(&memory, &widened)
        defer { swap(&memory, &widened) }
        return try read(bytes) { (batch) throws(RecordFault) in
            try Self.check(batch)
            if configuration.kind == .bytes {
                Self.copyValues(batch, context, to: &builder)
            } else {
                try Self.copyFeatures(batch, configuration, &memory, context, to: &builder)
            }
            return batch.rows
        }
    }

    /// Gives the batch that a block is to `body`.
    mutating func read<R>(
        _ bytes: Span<UInt8>, _ body: (borrowing RecordBatch) throws(RecordFault) -> R
    ) throws(RecordFault) -> R {
        let header = try BlockHeader(reading: bytes)
        guard header.kind == configuration.kind, header.features == configuration.features else {
            throw RecordFault(
                .undecodable,
                "expected \(configuration.kind.rawValue) with \(configuration.features) columns, "
                    + "found a block of \(header.kind.rawValue) with \(header.features)")
        }
        if header.decoding != decoding {
            decoding = header.decoding
            unpacker = BatchUnpacker(decoding: decoding)
        }
        let columns = configuration.features
        let batch = try unpacker.batch(bytes.extracting(BlockHeader.byteCount..<bytes.count))
        guard batch.columns == columns else {
            throw RecordFault(
                .undecodable, "expected \(columns) columns, found \(batch.columns)")
        }
        return try body(batch)
    }

    /// Checks what another program may have put into a batch and the log would refuse.
    private static func check(_ batch: borrowing RecordBatch) throws(RecordFault) {
        guard batch.hasKeys || batch.hasHeaders else { return }
        for row in 0..<batch.rows {
            try Limits.check(value: 0, key: batch.key(row)?.count, batch.rowHeaders(row))
        }
    }

    private static func copyValues(
        _ batch: borrowing RecordBatch, _ context: RecordContext, to builder: inout BatchBuilder
    ) {
        for row in 0..<batch.rows {
            builder.addSourceDelta(context.sourceDelta)
            builder.append(
                value: batch.value(row), key: batch.key(row), timestamp: batch.timestamp(row),
                headers: batch.rowHeaders(row))
        }
    }

    private static func copyFeatures(
        _ batch: borrowing RecordBatch, _ configuration: TopicConfiguration,
        _ widened: inout [Float], _ context: RecordContext, to builder: inout BatchBuilder
    ) throws(RecordFault) {
        let columns = batch.columns
        batch.widenAll(into: &widened)
        if configuration.needsNumbers,
            let bad = widened[..<(batch.rows * columns)].firstIndex(where: \.isNaN)
        {
            throw RecordFault(
                .undecodable,
                "row \(bad / columns), feature \(bad % columns) is missing, which "
                    + "\(configuration.elementType.rawValue) cannot hold")
        }
        for row in 0..<batch.rows {
            do {
                var target = builder.nextRow()
                for column in 0..<columns { target[column] = widened[row * columns + column] }
            }
            let label: Float? =
                configuration.label ? (batch.hasLabels ? batch.labels[row] : .nan) : nil
            builder.commitRow(
                label: label, sourceDelta: context.sourceDelta, key: batch.key(row),
                timestamp: batch.timestamp(row), headers: batch.rowHeaders(row))
        }
    }
}

extension BatchUnpacker {
    /// The batch that `bytes` are, faults in the words of a record's reader.
    @_lifetime(&self)
    mutating func batch(_ bytes: Span<UInt8>) throws(RecordFault) -> RecordBatch {
        do throws(Fault) { return try unpack(bytes) } catch {
            throw RecordFault(
                .undecodable,
                "byte \(BlockHeader.byteCount + error.position) of the block: expected "
                    + "\(error.expected), found \(error.found)")
        }
    }
}

extension RecordBatch {
    /// The headers of a row, copied.
    func rowHeaders(_ row: Int) -> [RowHeader] {
        guard hasHeaders else { return [] }
        var found: [RowHeader] = []
        var cursor = headers(row)
        while cursor.next() {
            let value = cursor.value
            found.append(
                RowHeader(
                    ValidText.string(cursor.name) ?? "", value.indices.map { value[$0] }))
        }
        return found
    }

    /// Widens every row into `memory`, which grows to what was needed most.
    func widenAll(into memory: inout [Float]) {
        let missing = rows * columns - memory.count
        if missing > 0 { memory.append(contentsOf: repeatElement(0, count: missing)) }
        var target = memory.mutableSpan
        widen(rows: 0..<rows, into: &target)
    }
}
