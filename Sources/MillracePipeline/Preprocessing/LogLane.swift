internal import MillraceFeatures
internal import MillraceLog

/// One output partition of a preprocess stage, in the log.
final class LogLane: FeatureLane {
    private var output: OutputPartition?
    private var builder: BatchBuilder
    private let specification: UInt32
    private let isLabelled: Bool
    /// The first source offset without an outcome here.
    private(set) var tail: UInt64
    private var begin: UInt64 = 0

    /// Writes to an output of `topic` that was opened.
    init(
        _ output: consuming OutputPartition, of topic: Topic, _ specification: FrozenSpecification
    ) throws(LogError) {
        tail = output.tail
        self.output = consume output
        builder = BatchBuilder(columns: specification.value.width)
        isLabelled = topic.configuration.label
        self.specification = try topic.dictionaryID(of: specification.dictionaryText)
    }

    func begin(at offset: UInt64) { begin = max(offset, tail) }

    func add(_ row: Span<Float>, label: Float, _ origin: borrowing RowOrigin) {
        guard origin.offset >= tail else { return }
        do {
            var target = builder.nextRow()
            for index in row.indices { target[index] = row[index] }
        }
        builder.commitRow(
            label: isLabelled ? label : nil, sourceDelta: UInt32(origin.offset - begin))
    }

    func drop(offset: UInt64, reason: UInt32) {
        guard offset >= tail else { return }
        builder.drop(sourceDelta: UInt32(offset - begin), reason: reason)
    }

    /// Appends rows and progress up to source offset `end`, in one step.
    func finish(at end: UInt64, epoch: UInt32) throws {
        guard end > tail else { return builder.reset() }
        builder.specification = specification
        try output?.append(&builder, of: begin..<end, epoch: epoch)
        tail = end
    }

    func close() throws { try output.take()?.close() }
}
