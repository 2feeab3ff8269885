internal import MillraceCompute
internal import MillraceGroups
internal import MillraceKafka
internal import MillraceLog
internal import MillraceModels
internal import MillraceServing

/// A partition of a predictions topic of the log.
///
/// Each batch names the model version and the kernel set that made it and the source rows that it
/// covers: predictions and progress are one append. A row whose outputs are not finite is marked.
final class LogOutput: PredictionOutput {
    private var writer: PartitionWriter?
    /// Whose builder every batch is made in.
    private let memory: SlotMemory
    private let template: BatchOrigin
    /// Whether the writer is a named producer, whose batches are numbered.
    private let isNamed: Bool
    /// Told of every append; the group's own record of it is a copy.
    private let onProgress: (_ next: UInt64) throws -> Void
    /// The source offset to go on from when the output was opened.
    let tail: UInt64

    /// The output of a stage that reads the log.
    ///
    /// - Throws: `LogError` with `fenced` when a later generation owns the source partition.
    init(
        _ output: Topic, group: String, source: Topic, claim: GroupConsumer.Claim,
        model: String, _ version: ServingVersion, _ memory: SlotMemory,
        onProgress: @escaping (_ next: UInt64) throws -> Void
    ) throws {
        let partition = claim.partition.partition
        let writer = try output.writer(
            partition: partition,
            claim: OutputClaim(
                group: "group:" + group, source: source.reference, sourcePartition: partition,
                generation: claim.generation, start: source.startOffset(partition: partition),
                isContested: claim.isContested))
        var origin = try Self.origin(
            output, group: group, source: source.reference, partition, model: model, version)
        origin.generation = claim.generation
        template = origin
        tail = writer.claimedEnd ?? 0
        self.writer = consume writer
        self.memory = memory
        isNamed = false
        self.onProgress = onProgress
    }

    /// The output of a stage that reads what is no topic of the log.
    ///
    /// The later of two that write the same is told from the earlier by its append, which makes
    /// that of the earlier fail.
    init(
        _ output: Topic, partition target: Int, group: String, source: String, partition: Int,
        start: UInt64, model: String, _ version: ServingVersion, _ memory: SlotMemory,
        onProgress: @escaping (_ next: UInt64) throws -> Void
    ) throws {
        // The writer comes first: should another write the partition from now on, the later of us
        // to append is refused.
        let writer = try output.writer(
            partition: target, producer: "group:\(group)/\(source)/\(partition)")
        template = try Self.origin(
            output, group: group, source: source, partition, model: model, version)
        let last = try output.lastOrigin(
            partition: target, source: source, sourcePartition: partition,
            group: "group:" + group)
        tail = last?.origin.end ?? start
        self.writer = consume writer
        self.memory = memory
        isNamed = true
        self.onProgress = onProgress
    }

    private static func origin(
        _ output: Topic, group: String, source: String, _ partition: Int, model: String,
        _ version: ServingVersion
    ) throws(LogError) -> BatchOrigin {
        var origin = BatchOrigin()
        origin.group = try output.dictionaryID(of: "group:" + group)
        origin.source = try output.dictionaryID(of: source)
        origin.sourcePartition = UInt32(partition)
        origin.model = try output.dictionaryID(of: "model:" + model)
        origin.kernelSet = try output.dictionaryID(
            of: "kernels:" + version.model.kernelName)
        return origin
    }

    func append(
        _ rows: FeatureRows, by version: ServingVersion,
        _ predict: (_ outputs: inout MutableSpan<Float>) -> [NullRow]
    ) throws -> Int {
        memory.builder.reset()
        var nulls: [NullRow] = []
        if rows.rows > 0 {
            memory.builder.columns = version.model.outputWidth
            nulls = Self.fill(&memory.builder, rows.rows, predict)
            if !nulls.isEmpty { mark(nulls, of: rows.rows) }
        }
        if let records = rows.records { place(records, from: rows.begin) }
        var origin = template
        origin.begin = rows.begin
        origin.end = rows.end
        origin.sourceEpoch = rows.epoch
        origin.modelVersion = UInt64(version.version)
        memory.builder.origin = origin
        if isNamed { memory.builder.sequence = rows.end }
        try writer?.append(&memory.builder)
        try onProgress(rows.end)
        return nulls.count
    }

    private static func fill(
        _ builder: inout BatchBuilder, _ rows: Int,
        _ predict: (_ outputs: inout MutableSpan<Float>) -> [NullRow]
    ) -> [NullRow] {
        var outputs = builder.addRows(rows)
        return predict(&outputs)
    }

    /// Marks each row: 0 where it has outputs.
    private func mark(_ nulls: [NullRow], of rows: Int) {
        var rest = nulls[...]
        for row in 0..<rows {
            memory.builder.addMark(rest.first?.row == row ? rest.removeFirst().mark : 0)
        }
    }

    /// Says which source offset each row has, and which have none.
    private func place(_ records: SourceRecords, from begin: UInt64) {
        for offset in records.offsets {
            memory.builder.addSourceDelta(UInt32(truncatingIfNeeded: offset - begin))
        }
        for bad in records.bad {
            memory.builder.drop(
                sourceDelta: UInt32(truncatingIfNeeded: bad.offset - begin),
                reason: bad.fault.reason.rawValue)
        }
    }

    func close() throws { try writer.take()?.close() }
}
