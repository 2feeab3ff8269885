internal import MillraceCompute
internal import MillraceLog

/// A partition of the log as a score stage reads it: features in place or decoded into the slot's
/// arena, or made of text.
final class LogInput: FeatureInput {
    private let source: Topic
    /// How the source stores features.
    private let element: MatrixElement
    /// What makes features of the source's rows, where they are text.
    private let text: TextRows?
    private let memory: SlotMemory
    private var reader: PartitionReader?

    /// Begins at `offset`.
    ///
    /// - Throws: `LogError` with `offsetOutOfRange`, which says how many rows retention has removed
    ///   that have no outcome.
    init(
        _ source: Topic, partition: Int, from offset: UInt64, text: TextRows? = nil,
        _ memory: SlotMemory
    ) throws(LogError) {
        self.source = source
        self.memory = memory
        self.text = text
        element = MatrixElement(source.configuration.elementDecoding)
        reader = try source.reader(
            partition: partition, from: offset, holding: source.waitsForReaders)
    }

    var name: String { source.name }
    /// What is in the log can be read at once.
    var isAtEnd: Bool { true }
    var lag: Int { 0 }

    func next(_ body: (FeatureRows) throws -> Void) throws -> Bool {
        guard var reader = reader.take() else { return false }
        reader.exchange(memory.decoding)
        let worked = try step(&reader, body)
        reader.exchange(memory.decoding)
        self.reader = consume reader
        return worked
    }

    private func step(
        _ reader: inout PartitionReader, _ body: (FeatureRows) throws -> Void
    ) throws -> Bool {
        guard let batch = try reader.next() else { return false }
        guard batch.rows > batch.skippedRows else { return true }
        if let text {
            try handOver(text, batch, to: body)
            return true
        }
        let begin = batch.baseOffset + UInt64(batch.skippedRows)
        try body(
            FeatureRows(
                batch.features(element), columns: batch.columns, begin..<batch.endOffset,
                epoch: batch.epoch, specification: batch.specification))
        return true
    }

    /// Makes features of the rows of a batch and hands them over, a block at a time.
    private func handOver(
        _ text: TextRows, _ batch: borrowing RecordBatch,
        to body: (FeatureRows) throws -> Void
    ) throws {
        var first = batch.skippedRows
        while first < batch.rows {
            let end = min(first + text.blockRows, batch.rows)
            let unreadable = try text.encode(batch, first..<end)
            let range = batch.baseOffset + UInt64(first)..<batch.baseOffset + UInt64(end)
            let block = text.block
            try body(
                FeatureRows(
                    FeatureMatrix(block.span, rows: end - first, stride: text.width),
                    columns: text.width, range, epoch: batch.epoch, unreadable: unreadable))
            first = end
        }
    }

    func specification(_ id: UInt32) throws -> FrozenSpecification? {
        guard let text = try source.dictionaryText(id) else { return nil }
        return try FrozenSpecification(dictionaryText: text)
    }

    func close() { reader = nil }
}
