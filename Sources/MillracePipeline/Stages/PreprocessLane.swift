internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceLog

/// One output partition of a preprocess stage.
///
/// Its tail says which source rows have their outcome here; rows before it are left out, so that a
/// restart from the lane that is furthest behind adds nothing twice to the others.
final class PreprocessLane {
    private var writer: PartitionWriter?
    private var builder: BatchBuilder
    private let template: BatchOrigin
    private let specification: UInt32
    private let isLabelled: Bool
    /// The first source offset without an outcome here.
    private(set) var tail: UInt64
    private var begin: UInt64 = 0

    /// Opens the partition of `topic` that has the number of the claimed partition of `source`.
    init(
        topic: Topic, claim: GroupConsumer.Claim, source: Topic, group: String,
        specification: FrozenSpecification
    ) throws {
        let partition = claim.partition.partition

        let width = specification.value.width
        let writer = try topic.writer(
            partition: partition,
            claim: OutputClaim(
                group: "group:" + group, source: source.reference, sourcePartition: partition,
                generation: claim.generation, start: source.startOffset(partition: partition),
                isContested: claim.isContested))
        tail = writer.claimedEnd ?? 0
        self.writer = consume writer
        builder = BatchBuilder(columns: width)
        isLabelled = topic.configuration.label
        self.specification = try topic.dictionaryID(of: specification.dictionaryText)
        var origin = BatchOrigin()
        origin.group = try topic.dictionaryID(of: "group:" + group)
        origin.source = try topic.dictionaryID(of: source.reference)
        origin.sourcePartition = UInt32(partition)
        origin.generation = claim.generation
        template = origin
    }

    /// Begins a batch for source rows from `offset` on.
    func begin(at offset: UInt64) { begin = max(offset, tail) }

    /// Adds the features of source row `offset`.
    func add(_ row: Span<Float>, label: Float, offset: UInt64) {
        guard offset >= tail else { return }
        var target = builder.nextRow()
        for index in row.indices { target[index] = row[index] }
        builder.commitRow(
            label: isLabelled ? label : nil, sourceDelta: UInt32(offset - begin))
    }

    /// Records that source row `offset` has no output.
    func drop(offset: UInt64, reason: UInt32) {
        guard offset >= tail else { return }
        builder.drop(sourceDelta: UInt32(offset - begin), reason: reason)
    }

    /// Appends rows and progress up to source offset `end`, in one step; returns the rows.
    func finish(at end: UInt64, epoch: UInt32) throws(LogError) -> Int {
        guard end > tail else {
            builder.reset()
            return 0
        }
        var origin = template
        origin.begin = begin
        origin.end = end
        origin.sourceEpoch = epoch
        builder.origin = origin
        builder.specification = specification
        let rows = builder.rows
        try writer?.append(&builder)
        tail = end
        return rows
    }

    func close() throws(LogError) { try writer.take()?.close() }
}
