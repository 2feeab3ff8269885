internal import MillraceCompute
internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceLog
internal import MillraceModels
internal import MillraceServing

/// Scores the rows of one source partition into the same partition of the predictions topic.
///
/// Each output batch names the model version and the kernel set that made it and the source rows
/// that it covers. A row whose outputs are not finite is marked null, and so is one of a raw topic
/// that cannot be read.
final class ScoreTask: PartitionTask {
    /// Mark of a row whose outputs are not finite numbers.
    static let notFiniteMark: UInt8 = 1

    private let source: Topic
    private let output: Topic
    private let claim: GroupConsumer.Claim
    private let consumer: GroupConsumer
    private let modelName: String
    private let models: ModelFeed
    private let status: StageStatus
    private var reader: PartitionReader?
    private var writer: PartitionWriter?
    private var builder = BatchBuilder()
    private var serving: ServingVersion
    /// Version that the feed offered last, taken or refused.
    private var lastOffered: Int
    private var workspace: ScoringWorkspace
    /// How the source stores features.
    private let element: MatrixElement
    /// What makes features of the source's rows, where it holds bytes.
    private let raw: RawRows?
    private var template = BatchOrigin()
    /// Dictionary id of the specification that the model was checked against.
    private var checkedSpecification: UInt32 = 0
    /// The specification of the features, as their topic or else the model says; 0 for an imported
    /// model, which knows of none, before a batch has been checked.
    private var features: UInt32

    /// Source rows that have their outcome.
    private(set) var rowsDone: Int

    init(
        claim: GroupConsumer.Claim, consumer: GroupConsumer, group: String, source: Topic,
        output: Topic, modelName: String, models: ModelFeed, first: ServingVersion,
        status: StageStatus, rejections: RejectionLog
    ) throws {
        self.source = source
        self.output = output
        self.claim = claim
        self.consumer = consumer
        self.modelName = modelName
        self.models = models
        self.status = status
        element = MatrixElement(source.configuration.elementDecoding)
        serving = first
        lastOffered = first.version
        features = first.specification
        workspace = ScoringWorkspace(for: first.model)
        let partition = claim.partition.partition
        raw =
            source.configuration.kind == .bytes
            ? try RawRows(
                source, partition: partition, for: first, model: modelName,
                rejections: rejections) : nil
        let writer = try output.writer(
            partition: partition,
            claim: OutputClaim(
                group: "group:" + group, source: source.reference, sourcePartition: partition,
                generation: claim.generation, start: source.startOffset(partition: partition),
                isContested: claim.isContested))
        template.group = try output.dictionaryID(of: "group:" + group)
        template.source = try output.dictionaryID(of: source.reference)
        template.sourcePartition = UInt32(partition)
        template.generation = claim.generation
        template.model = try output.dictionaryID(of: "model:" + modelName)
        template.kernelSet = try output.dictionaryID(
            of: "kernels:" + first.model.kernelName)
        // The output is the truth; what the group committed is a copy of it.
        let tail = writer.claimedEnd ?? 0
        self.writer = consume writer
        // Rows that retention has removed since then have no outcome: an error says how many.
        reader = try source.reader(
            partition: partition, from: tail, holding: source.waitsForReaders)
        rowsDone = Int(tail)
        status.use(version: first.version)
    }

    func step() throws -> Bool {
        if let newer = models.newer(than: lastOffered) { adopt(newer) }
        guard var reader = reader.take() else { return false }
        let worked = try step(&reader)
        self.reader = consume reader
        return worked
    }

    /// Swaps to a newer version between two batches.
    ///
    /// The feed refuses what takes other features, from when it was told of them. What it offered
    /// before that is refused here.
    private func adopt(_ newer: ServingVersion) {
        lastOffered = newer.version
        guard newer.specification == features || newer.specification == 0 || features == 0 else {
            return models.refuse(newer.version, "it takes other features")
        }
        serving = newer
        if features == 0 { features = newer.specification }
        if !workspace.fits(newer.model) { workspace = ScoringWorkspace(for: newer.model) }
        status.use(version: newer.version)
    }

    private func step(_ reader: inout PartitionReader) throws -> Bool {
        guard let batch = try reader.next() else { return false }
        let rows = batch.rows - batch.skippedRows
        guard rows > 0 else { return true }
        if raw == nil { try check(batch) }
        let prepared = serving.model
        builder.reset()
        builder.columns = prepared.outputWidth
        let nulls = predict(batch)
        try raw?.reportUnreadable(in: batch)
        var origin = template
        origin.begin = batch.baseOffset + UInt64(batch.skippedRows)
        origin.end = batch.endOffset
        origin.sourceEpoch = batch.epoch
        origin.modelVersion = UInt64(serving.version)
        builder.origin = origin
        try writer?.append(&builder)
        rowsDone += rows
        status.add(rows: rows)
        status.add(rejected: nulls)
        try consumer.commit(claim, next: origin.end)
        return true
    }

    /// Scores the rows of a batch into the builder; returns how many are null.
    private func predict(_ batch: borrowing RecordBatch) -> Int {
        let rows = batch.rows - batch.skippedRows
        let width = serving.model.outputWidth
        var unfit: [Int] = []
        do {
            var outputs = builder.addRows(rows)
            if let raw {
                raw.predict(
                    batch, by: serving.model, into: &outputs, workspace: &workspace)
            } else {
                let counts = serving.model.predict(
                    batch.features(element), into: &outputs, workspace: &workspace)
                guard counts.rejected + counts.notFinite > 0 else { return 0 }
            }
            for row in 0..<rows
            where !FloatScan.areFinite(outputs.span.extracting(row * width..<(row + 1) * width)) {
                unfit.append(row)
            }
        }
        mark(unfit, of: rows)
        return unfit.count
    }

    /// Marks the rows that have no outputs, by why they have none.
    private func mark(_ unfit: [Int], of rows: Int) {
        guard !unfit.isEmpty else { return }
        var next = 0
        var nextUnreadable = 0
        let unreadable = raw?.unreadable ?? []
        for row in 0..<rows {
            guard next < unfit.count, unfit[next] == row else {
                builder.addMark(0)
                continue
            }
            next += 1
            let isUnreadable =
                nextUnreadable < unreadable.count && unreadable[nextUnreadable] == row
            if isUnreadable { nextUnreadable += 1 }
            builder.addMark(isUnreadable ? RawRows.unreadableMark : Self.notFiniteMark)
        }
    }

    /// Refuses features that the model was not trained on.
    private func check(_ batch: borrowing RecordBatch) throws {
        guard batch.specification != checkedSpecification || checkedSpecification == 0 else {
            return
        }
        guard batch.columns == serving.model.inputWidth else {
            throw PipelineError(
                .badData,
                "model \(modelName)@\(serving.version) takes \(serving.model.inputWidth) features, "
                    + "topic '\(source.name)' has \(batch.columns)")
        }
        if batch.specification != 0,
            let text = try source.dictionaryText(batch.specification),
            let found = try FrozenSpecification(dictionaryText: text)
        {
            let known = found.value.identifier
            guard serving.specification == 0 || serving.specification == known else {
                throw PipelineError(
                    .badData,
                    "model \(modelName)@\(serving.version) was trained on feature specification "
                        + "\(serving.specification), topic '\(source.name)' has \(known)",
                    advice: "Train on this topic's features, or score a topic of the model's.")
            }
            features = known
            models.require(specification: known)
        }
        checkedSpecification = batch.specification
    }

    func close() throws {
        try writer.take()?.close()
        reader = nil
    }
}
