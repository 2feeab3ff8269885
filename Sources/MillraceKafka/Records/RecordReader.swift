internal import MillraceInput
internal import MillraceLog

/// What a record has beside its value.
struct RecordContext: Sendable {
    /// Nanoseconds since 1970.
    var timestamp: Int64
    /// How far the record is behind the first that its batch covers.
    var sourceDelta: UInt32
    var headers: [RowHeader] = []
}

/// Turns records into rows of a local topic.
///
/// A record that is none leaves the builder as it was. **Thread-safety**: one owner.
struct RecordReader: ~Copyable {
    private let format: KafkaFormat
    private let configuration: TopicConfiguration
    private var row: [Float]
    private var blocks: BlockReader

    init(_ format: KafkaFormat, for configuration: TopicConfiguration) {
        self.format = format
        self.configuration = configuration
        row = [Float](repeating: 0, count: configuration.features)
        blocks = BlockReader(configuration)
    }

    /// Adds the row, or the rows of a block; returns how many.
    mutating func add(
        value: Span<UInt8>?, key: Span<UInt8>?, _ context: RecordContext,
        to builder: inout BatchBuilder
    ) throws(RecordFault) -> Int {
        guard let value else { throw RecordFault(.noValue, "a record without a value") }
        if format == .block { return try blocks.add(value, context, to: &builder) }
        try Limits.check(value: value.count, key: key?.count, context.headers)
        switch format {
        case .bytes:
            builder.addSourceDelta(context.sourceDelta)
            builder.append(
                value: value, key: key, timestamp: context.timestamp, headers: context.headers)
            return 1
        case .float32: try add(floats: value, key, context, to: &builder)
        case .json: try add(json: value, key, context, to: &builder)
        case .block: break
        }
        return 1
    }

    private mutating func add(
        floats value: Span<UInt8>, _ key: Span<UInt8>?, _ context: RecordContext,
        to builder: inout BatchBuilder
    ) throws(RecordFault) {
        let count = row.count + (configuration.label ? 1 : 0)
        guard value.count == 4 * count else {
            throw RecordFault(
                .undecodable,
                "expected \(count) float32, \(4 * count) bytes, found \(value.count) bytes")
        }
        for index in row.indices { row[index] = Self.float(value, index) }
        let label = configuration.label ? Self.float(value, row.count) : .nan
        try commit(label: label, key, context, to: &builder)
    }

    private static func float(_ bytes: Span<UInt8>, _ index: Int) -> Float {
        Float(bitPattern: LittleEndianBytes.word(bytes, 4 * index))
    }

    private mutating func add(
        json text: Span<UInt8>, _ key: Span<UInt8>?, _ context: RecordContext,
        to builder: inout BatchBuilder
    ) throws(RecordFault) {
        let label: Float
        do throws(JSONFault) {
            label = try VectorObject.read(text, into: &row, hasLabel: configuration.label)
        } catch { throw RecordFault(error) }
        try commit(label: label, key, context, to: &builder)
    }

    private mutating func commit(
        label: Float, _ key: Span<UInt8>?, _ context: RecordContext,
        to builder: inout BatchBuilder
    ) throws(RecordFault) {
        if configuration.needsNumbers, let column = row.firstIndex(where: \.isNaN) {
            throw RecordFault(
                .undecodable,
                "feature \(column) is missing, which \(configuration.elementType.rawValue) "
                    + "cannot hold")
        }
        do {
            var target = builder.nextRow()
            for index in row.indices { target[index] = row[index] }
        }
        builder.commitRow(
            label: configuration.label ? label : nil, sourceDelta: context.sourceDelta, key: key,
            timestamp: context.timestamp, headers: context.headers)
    }
}

extension TopicConfiguration {
    /// Whether the topic's elements have nothing to say that a number is missing.
    var needsNumbers: Bool { elementType == .uint8 || elementType == .int8 }
}

/// What a row of the log may have, checked before it is in a batch with others.
enum Limits {
    static func check(
        value: Int, key: Int?, _ headers: [RowHeader]
    ) throws(RecordFault) {
        func require(_ found: Int, _ limit: Int, _ what: String) throws(RecordFault) {
            guard found > limit else { return }
            throw RecordFault(.beyondLimits, "\(what) is at most \(limit), not \(found)")
        }
        try require(value, LogLimits.maxValueBytes, "a value in bytes")
        try require(key ?? 0, LogLimits.maxKeyBytes, "a key in bytes")
        guard !headers.isEmpty else { return }
        try require(headers.count, LogLimits.maxHeaders, "the number of headers")
        var bytes = 0
        for header in headers {
            let name = header.name.utf8.count
            guard name > 0 else {
                throw RecordFault(.beyondLimits, "a header without a name, which the log refuses")
            }
            try require(name, LogLimits.maxHeaderNameBytes, "a header's name in bytes")
            bytes += 6 + name + header.value.count
        }
        try require(bytes, LogLimits.maxHeaderBytes, "the size of a record's headers in bytes")
    }
}

/// Numbers in bytes, the lowest first.
enum LittleEndianBytes {
    /// The word at byte `start`, which has to be there.
    static func word(_ bytes: Span<UInt8>, _ start: Int) -> UInt32 {
        UInt32(bytes[start]) | UInt32(bytes[start + 1]) << 8 | UInt32(bytes[start + 2]) << 16
            | UInt32(bytes[start + 3]) << 24
    }

    static func append(_ word: UInt32, to bytes: inout [UInt8]) {
        for shift in [UInt32(0), 8, 16, 24] {
            bytes.append(UInt8(truncatingIfNeeded: word >> shift))
        }
    }

    static func put(_ word: UInt32, at start: Int, in bytes: inout [UInt8]) {
        for index in 0..<4 {
            bytes[start + index] = UInt8(truncatingIfNeeded: word >> UInt32(8 * index))
        }
    }
}
