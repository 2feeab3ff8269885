internal import MillraceLog

/// Turns rows of a local topic into records.
///
/// **Thread-safety**: one owner.
struct RecordWriter: ~Copyable {
    private let configuration: TopicConfiguration
    private var widened: [Float] = []
    /// For rows of features.
    private var vectors: VectorWriter?
    /// For rows of bytes that come in blocks; others are records as they are.
    private var blocks: BlockPacker?

    /// Records are to be of at most `maxRecordBytes`, of which single rows know nothing.
    init(_ format: KafkaFormat, of configuration: TopicConfiguration, maxRecordBytes: Int) {
        self.configuration = configuration
        if configuration.kind == .features {
            vectors = VectorWriter(format, of: configuration, maxRecordBytes: maxRecordBytes)
        } else if format == .block {
            blocks = BlockPacker(configuration, maxRecordBytes: maxRecordBytes)
        }
    }

    /// Gives the records of a batch's rows to `take`; what a block still has room for waits for
    /// `finish`.
    mutating func write(
        _ batch: borrowing RecordBatch, from first: Int, _ take: RecordTaker
    ) throws(KafkaError) {
        guard configuration.kind != .features else {
            return try writeVectors(batch, from: first, take)
        }
        for row in first..<batch.rows {
            let context = Self.context(batch, row)
            if blocks == nil {
                try take(batch.value(row), batch.key(row), context.milliseconds, context.headers)
            } else {
                try blocks?.add(value: batch.value(row), key: batch.key(row), context, take)
            }
        }
    }

    private mutating func writeVectors(
        _ batch: borrowing RecordBatch, from first: Int, _ take: RecordTaker
    ) throws(KafkaError) {
        // Out of the way of the writer, which has the rest to itself.
        var memory: [Float] = []
        swap(&memory, &widened)
        defer { swap(&memory, &widened) }
        batch.widenAll(into: &memory)
        let columns = configuration.features
        for row in first..<batch.rows {
            try vectors?.write(
                memory.span.extracting(row * columns..<(row + 1) * columns),
                label: batch.hasLabels ? batch.labels[row] : .nan, key: batch.key(row),
                Self.context(batch, row), take)
        }
    }

    private static func context(_ batch: borrowing RecordBatch, _ row: Int) -> RowContext {
        RowContext(timestamp: batch.timestamp(row), headers: batch.rowHeaders(row))
    }

    /// Gives what is left over to `take`.
    mutating func finish(_ take: RecordTaker) throws(KafkaError) {
        try vectors?.finish(take)
        try blocks?.finish(take)
    }

    /// Forgets what is left over.
    mutating func reset() {
        vectors?.reset()
        blocks?.reset()
    }
}
