internal import MillraceInput
internal import MillraceLog

/// What becomes of one record.
///
/// `value` and `key` live as long as the call. `milliseconds` is since 1970.
typealias RecordTaker = (
    _ value: Span<UInt8>, _ key: Span<UInt8>?, _ milliseconds: Int64, _ headers: [RowHeader]
) throws(KafkaError) -> Void

/// Turns rows of a local topic into records.
///
/// **Thread-safety**: one owner.
struct RecordWriter: ~Copyable {
    private let format: KafkaFormat
    private let configuration: TopicConfiguration
    /// Bytes of rows after which a block ends.
    private let blockBytes: Int
    private var bytes: [UInt8] = []
    private var widened: [Float] = []
    private var block: BatchBuilder
    private var blockMilliseconds: Int64 = 0
    private var blocks: BlockWriter

    private static let nanosecondsPerMillisecond: Int64 = 1_000_000
    /// What a batch has beside its rows: headers, and gaps between its sections.
    private static let blockOverhead = 8192
    private static let mostBlockBytes = 1 << 20
    private static let leastBlockBytes = 1 << 12

    /// Records are to be of at most `maxRecordBytes`, of which single rows know nothing.
    init(_ format: KafkaFormat, of configuration: TopicConfiguration, maxRecordBytes: Int) {
        self.format = format
        self.configuration = configuration
        blockBytes = max(
            min(maxRecordBytes - Self.blockOverhead, Self.mostBlockBytes), Self.leastBlockBytes)
        block = BatchBuilder(columns: configuration.features)
        blocks = BlockWriter(configuration)
    }

    /// Gives the records of a batch's rows to `take`; what a block still has room for waits for
    /// `finish`.
    mutating func write(
        _ batch: borrowing RecordBatch, from first: Int, _ take: RecordTaker
    ) throws(KafkaError) {
        switch format {
        case .bytes:
            for row in first..<batch.rows {
                try take(
                    batch.value(row), batch.key(row), Self.milliseconds(batch, row),
                    batch.rowHeaders(row))
            }
        case .float32, .json:
            batch.widenAll(into: &widened)
            for row in first..<batch.rows {
                let label: Float? =
                    configuration.label ? (batch.hasLabels ? batch.labels[row] : .nan) : nil
                format == .json ? writeObject(row, label) : writeFloats(row, label)
                try take(
                    bytes.span, batch.key(row), Self.milliseconds(batch, row),
                    batch.rowHeaders(row))
            }
        case .block:
            if configuration.kind == .features { batch.widenAll(into: &widened) }
            for row in first..<batch.rows { try addToBlock(batch, row, take) }
        }
    }

    /// Gives what is left over to `take`.
    mutating func finish(_ take: RecordTaker) throws(KafkaError) {
        guard block.rows > 0 else { return }
        do throws(LogError) { try blocks.pack(&block, into: &bytes) } catch {
            throw KafkaError(error)
        }
        try take(bytes.span, nil, blockMilliseconds, [])
        blockMilliseconds = 0
    }

    /// Forgets what is left over.
    mutating func reset() {
        block.reset()
        blockMilliseconds = 0
    }

    /// Kafka's times are whole milliseconds.
    private static func milliseconds(_ batch: borrowing RecordBatch, _ row: Int) -> Int64 {
        let time = batch.timestamp(row)
        let whole = time / nanosecondsPerMillisecond
        // Down, before 1970 as well.
        return time % nanosecondsPerMillisecond < 0 ? whole - 1 : whole
    }

    private mutating func writeFloats(_ row: Int, _ label: Float?) {
        bytes.removeAll(keepingCapacity: true)
        let columns = configuration.features
        for index in row * columns..<(row + 1) * columns {
            LittleEndianBytes.append(widened[index].bitPattern, to: &bytes)
        }
        if let label { LittleEndianBytes.append(label.bitPattern, to: &bytes) }
    }

    private mutating func writeObject(_ row: Int, _ label: Float?) {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: "{\"features\":[".utf8)
        let columns = configuration.features
        append(widened, row * columns..<(row + 1) * columns)
        bytes.append(UInt8(ascii: "]"))
        if let label, !label.isNaN {
            bytes.append(contentsOf: ",\"label\":".utf8)
            append([label], 0..<1)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    private mutating func append(_ numbers: [Float], _ range: Range<Int>) {
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: ShortestFloat.room(for: range.count)))
        var target = bytes.mutableSpan
        let end = ShortestFloat.write(
            numbers.span.extracting(range), into: &target, at: start, special: .json)
        bytes.removeLast(bytes.count - end)
    }

    private mutating func addToBlock(
        _ batch: borrowing RecordBatch, _ row: Int, _ take: RecordTaker
    ) throws(KafkaError) {
        let columns = configuration.features
        let headers = batch.rowHeaders(row)
        let headerBytes = headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.count + 10 }
        let valueBytes = columns == 0 ? batch.value(row).count + 4 : columns * 4 + 4
        let rowBytes = valueBytes + (batch.key(row)?.count ?? 0) + headerBytes + 12
        if block.rows > 0, block.byteCount + rowBytes > blockBytes { try finish(take) }
        if columns == 0 {
            block.append(
                value: batch.value(row), key: batch.key(row), timestamp: batch.timestamp(row),
                headers: headers)
        } else {
            do {
                var target = block.nextRow()
                for column in 0..<columns { target[column] = widened[row * columns + column] }
            }
            let label: Float? =
                configuration.label ? (batch.hasLabels ? batch.labels[row] : .nan) : nil
            block.commitRow(
                label: label, key: batch.key(row), timestamp: batch.timestamp(row),
                headers: headers)
        }
        blockMilliseconds = max(blockMilliseconds, Self.milliseconds(batch, row))
    }
}
