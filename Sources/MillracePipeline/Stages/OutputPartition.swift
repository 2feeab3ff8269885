internal import MillraceGroups
internal import MillraceLog

/// A partition of a topic of the log to which a stage writes what it makes of one source partition.
///
/// Every batch names the source offsets that it covers: rows and progress are one append, and the end
/// of the newest batch is where to go on.
struct OutputPartition: ~Copyable {
    private var writer: PartitionWriter
    private let template: BatchOrigin
    /// Whether the writer is a named producer, whose batches are numbered.
    private let isNamed: Bool
    /// The source offset to go on from when it was opened.
    let tail: UInt64

    /// The output of a stage that reads the log: the partition that has the number of the claimed one.
    ///
    /// - Throws: `LogError` with `fenced` when a later generation owns the source partition.
    init(
        _ topic: Topic, group: String, source: Topic, _ claim: GroupConsumer.Claim,
        model: ModelMarks? = nil
    ) throws {
        let partition = claim.partition.partition
        let writer = try topic.writer(
            partition: partition,
            claim: OutputClaim(
                group: "group:" + group, source: source.reference, sourcePartition: partition,
                generation: claim.generation, start: source.startOffset(partition: partition),
                isContested: claim.isContested))
        var origin = try Self.origin(topic, group, source.reference, partition, model)
        origin.generation = claim.generation
        template = origin
        tail = writer.claimedEnd ?? 0
        self.writer = consume writer
        isNamed = false
    }

    /// The output of a stage that reads what is no topic of the log.
    ///
    /// The later of two that write the same is told from the earlier by its append, which makes
    /// that of the earlier fail.
    /// - Parameter start: The source offset to begin with when nothing was written yet.
    init(
        _ topic: Topic, partition target: Int, group: String, source: String, partition: Int,
        start: UInt64, model: ModelMarks? = nil
    ) throws {
        // The writer comes first: should another write the partition from now on, the later of us
        // to append is refused.
        let writer = try topic.writer(
            partition: target, producer: "group:\(group)/\(source)/\(partition)")
        let origin = try Self.origin(topic, group, source, partition, model)
        let last = try topic.lastOrigin(
            partition: target, source: source, sourcePartition: partition,
            group: "group:" + group)
        template = origin
        tail = last?.origin.end ?? start
        self.writer = consume writer
        isNamed = true
    }

    private static func origin(
        _ topic: Topic, _ group: String, _ source: String, _ partition: Int, _ model: ModelMarks?
    ) throws(LogError) -> BatchOrigin {
        var origin = BatchOrigin()
        origin.group = try topic.dictionaryID(of: "group:" + group)
        origin.source = try topic.dictionaryID(of: source)
        origin.sourcePartition = UInt32(partition)
        if let model {
            origin.model = try topic.dictionaryID(of: "model:" + model.name)
            origin.kernelSet = try topic.dictionaryID(of: "kernels:" + model.kernels)
        }
        return origin
    }

    /// Appends rows and the progress up to the end of `range`, the source offsets that they are of.
    mutating func append(
        _ builder: inout BatchBuilder, of range: Range<UInt64>, epoch: UInt32,
        modelVersion: UInt64 = 0
    ) throws(LogError) {
        var origin = template
        origin.begin = range.lowerBound
        origin.end = range.upperBound
        origin.sourceEpoch = epoch
        origin.modelVersion = modelVersion
        builder.origin = origin
        if isNamed { builder.sequence = range.upperBound }
        try writer.append(&builder)
    }

    /// Makes what was written durable and lets go of the partition.
    consuming func close() throws(LogError) { try writer.close() }
}

/// What batches of predictions say of the model that made them, beside its version.
struct ModelMarks {
    var name: String
    var kernels: String
}
