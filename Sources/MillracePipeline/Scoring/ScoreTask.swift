internal import MillraceCompute
internal import MillraceFeatures
internal import MillraceModels
internal import MillraceRepository
internal import MillraceServing

/// Scores the rows of one source partition into an output.
///
/// Where rows come from and where predictions go is the business of the input and the output, which
/// keep progress and predictions together. A row whose outputs are not finite has no prediction, nor
/// has a raw row that cannot be read.
final class ScoreTask: PartitionTask {
    /// Mark of a row whose outputs are not finite numbers.
    static let notFiniteMark: UInt8 = 1
    /// Mark of a row that could not be read.
    static let unreadableMark: UInt8 = 2

    private let input: any FeatureInput
    private let output: any PredictionOutput
    private let modelName: String
    private let models: ModelFeed
    private let status: StageStatus
    private var serving: ServingVersion
    /// Version that the feed offered last, taken or refused.
    private var lastOffered: Int
    private var workspace: ScoringWorkspace
    /// Dictionary id of the specification that the model was checked against.
    private var checkedSpecification: UInt32 = 0
    /// The specification of the features, as their topic or else the model says; 0 for an imported
    /// model, which knows of none, before a batch has been checked.
    private var features: UInt32

    /// Source rows that have their outcome.
    private(set) var rowsDone: Int

    /// - Parameter rowsDone: Source rows that had their outcome before.
    init(
        from input: any FeatureInput, to output: any PredictionOutput, model name: String,
        _ models: ModelFeed, first: ServingVersion, status: StageStatus, rowsDone: Int
    ) {
        self.input = input
        self.output = output
        modelName = name
        self.models = models
        self.status = status
        serving = first
        lastOffered = first.version
        features = first.specification
        workspace = ScoringWorkspace(for: first.model)
        self.rowsDone = rowsDone
        status.use(version: first.version, created: first.manifest.createdSeconds)
    }

    var isAtEnd: Bool { input.isAtEnd }
    var lag: Int { input.lag }

    func step() throws -> Bool {
        if let newer = models.newer(than: lastOffered) { adopt(newer) }
        return try input.next { rows in try score(rows) }
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
        status.use(version: newer.version, created: newer.manifest.createdSeconds)
    }

    private func score(_ rows: FeatureRows) throws {
        if rows.rows > 0 { try check(rows) }
        let nulls = try output.append(rows, by: serving) { outputs in predict(rows, &outputs) }
        let bad = rows.records?.bad.count ?? 0
        rowsDone += rows.rows + bad
        status.add(rows: rows.rows + bad)
        status.add(rejected: nulls + bad)
    }

    /// Fills the predictions; returns the rows that have none.
    private func predict(
        _ rows: FeatureRows, _ outputs: inout MutableSpan<Float>
    ) -> [NullRow] {
        let counts = serving.model.predict(rows.matrix, into: &outputs, workspace: &workspace)
        let width = serving.model.outputWidth
        // A model that imputes makes something of NaN.
        for row in rows.unreadable {
            for place in row * width..<(row + 1) * width { outputs[place] = .nan }
        }
        guard counts.rejected + counts.notFinite + rows.unreadable.count > 0 else { return [] }
        var nulls: [NullRow] = []
        var unreadable = rows.unreadable[...]
        for row in 0..<rows.rows
        where !FloatScan.areFinite(outputs.span.extracting(row * width..<(row + 1) * width)) {
            let isUnreadable = unreadable.first == row
            if isUnreadable { unreadable.removeFirst() }
            nulls.append(
                NullRow(row: row, mark: isUnreadable ? Self.unreadableMark : Self.notFiniteMark))
        }
        return nulls
    }

    /// Refuses features that the model was not trained on.
    private func check(_ rows: FeatureRows) throws {
        guard rows.specification != checkedSpecification || checkedSpecification == 0 else {
            return
        }
        guard rows.columns == serving.model.inputWidth else {
            throw PipelineError(
                .badData,
                "model \(modelName)@\(serving.version) takes \(serving.model.inputWidth) features, "
                    + "topic '\(input.name)' has \(rows.columns)")
        }
        if rows.specification != 0, let found = try input.specification(rows.specification) {
            let known = found.value.identifier
            guard serving.specification == 0 || serving.specification == known else {
                throw PipelineError(
                    .badData,
                    "model \(modelName)@\(serving.version) was trained on feature specification "
                        + "\(serving.specification), topic '\(input.name)' has \(known)",
                    advice: "Train on this topic's features, or score a topic of the model's.")
            }
            features = known
            models.require(specification: known)
        }
        checkedSpecification = rows.specification
    }

    func close() throws {
        try output.close()
        input.close()
    }
}
