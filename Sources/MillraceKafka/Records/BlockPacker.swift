package import MillraceLog

/// What becomes of one record.
///
/// `value` and `key` live as long as the call. `milliseconds` is since 1970.
package typealias RecordTaker = (
    _ value: Span<UInt8>, _ key: Span<UInt8>?, _ milliseconds: Int64, _ headers: [RowHeader]
) throws(KafkaError) -> Void

/// What a row has beside its value or its features.
package struct RowContext {
    /// Nanoseconds since 1970.
    package var timestamp: Int64
    /// Names and values, in order.
    package var headers: [RowHeader]

    /// A row's time and headers.
    package init(timestamp: Int64, headers: [RowHeader] = []) {
        self.timestamp = timestamp
        self.headers = headers
    }

    private static let nanosecondsPerMillisecond: Int64 = 1_000_000

    /// Kafka's times are whole milliseconds.
    var milliseconds: Int64 {
        let whole = timestamp / Self.nanosecondsPerMillisecond
        // Down, before 1970 as well.
        return timestamp % Self.nanosecondsPerMillisecond < 0 ? whole - 1 : whole
    }
}

/// Gathers rows of a topic in blocks that are no larger than a record may be.
///
/// **Thread-safety**: one owner.
struct BlockPacker: ~Copyable {
    private let configuration: TopicConfiguration
    /// The identifier of the feature specification that made the rows; 0 for none.
    private let specification: UInt32
    /// Bytes of rows after which a block ends.
    private let mostBytes: Int
    private var builder: BatchBuilder
    private var milliseconds: Int64 = 0
    private var blocks: BlockWriter
    private var bytes: [UInt8] = []

    /// What a batch has beside its rows: headers, and gaps between its sections.
    private static let overhead = 8192
    private static let largest = 1 << 20
    private static let smallest = 1 << 12

    init(
        _ configuration: TopicConfiguration, specification: UInt32 = 0, maxRecordBytes: Int
    ) {
        self.configuration = configuration
        self.specification = specification
        mostBytes = max(min(maxRecordBytes - Self.overhead, Self.largest), Self.smallest)
        builder = BatchBuilder(columns: configuration.features)
        blocks = BlockWriter(configuration)
    }

    /// Adds a row of bytes; a block that has no room for it goes to `take` before.
    mutating func add(
        value: Span<UInt8>, key: Span<UInt8>?, _ context: RowContext, _ take: RecordTaker
    ) throws(KafkaError) {
        try makeRoom(for: value.count + 4, key, context, take)
        builder.append(
            value: value, key: key, timestamp: context.timestamp, headers: context.headers)
    }

    /// Adds a row of features, likewise.
    mutating func add(
        row: Span<Float>, label: Float?, key: Span<UInt8>?, _ context: RowContext,
        _ take: RecordTaker
    ) throws(KafkaError) {
        try makeRoom(for: row.count * 4 + 4, key, context, take)
        do {
            var target = builder.nextRow()
            for index in row.indices { target[index] = row[index] }
        }
        builder.commitRow(
            label: label, key: key, timestamp: context.timestamp, headers: context.headers)
    }

    private mutating func makeRoom(
        for valueBytes: Int, _ key: Span<UInt8>?, _ context: RowContext, _ take: RecordTaker
    ) throws(KafkaError) {
        let headerBytes = context.headers.reduce(0) {
            $0 + $1.name.utf8.count + $1.value.count + 10
        }
        let rowBytes = valueBytes + (key?.count ?? 0) + headerBytes + 12
        if builder.rows > 0, builder.byteCount + rowBytes > mostBytes { try finish(take) }
        milliseconds = max(milliseconds, context.milliseconds)
    }

    /// Gives what is left over to `take`.
    mutating func finish(_ take: RecordTaker) throws(KafkaError) {
        guard builder.rows > 0 else { return }
        builder.specification = specification
        do throws(LogError) { try blocks.pack(&builder, into: &bytes) } catch {
            throw KafkaError(error)
        }
        try take(bytes.span, nil, milliseconds, [])
        milliseconds = 0
    }

    /// Forgets what is left over.
    mutating func reset() {
        builder.reset()
        milliseconds = 0
    }
}
