public import MillraceCompute

/// Learns a linear model or a multi-layer perceptron from batches, on one thread.
///
/// Each batch is predicted before it is learnt from, so the metrics are honest over the whole
/// stream ("prequential"). Both use the means and deviations of the rows before the batch; only the
/// very first batch, which has none before it, uses its own. They are kept where the options ask for
/// any: to scale features, or to put means in the place of missing ones.
///
/// The same batches in the same order give the same bits on the same kind of processor. A trainer
/// restored from a checkpoint goes on as if it had never stopped.
/// **Thread-safety**: one owner.
public struct Trainer: ~Copyable, Sendable {
    /// What it was made with.
    public let options: TrainingOptions
    /// What it computes with.
    public let kernels: KernelSet
    /// How many rows were learnt from.
    public private(set) var rowsSeen: Int
    private(set) var replica: Replica
    private(set) var lane: TrainingLane

    /// A trainer that has seen nothing.
    ///
    /// Linear models start from zero, others from weights drawn by the seed. `kernels` decide the
    /// last bits of what is learnt; `blas` has OpenBLAS multiply matrices.
    ///
    /// - Throws: `ModelError` with `invalidOption`.
    public init(
        _ options: TrainingOptions, kernels: KernelSet = .best
    ) throws(ModelError) {
        try options.validate()
        let replica = Replica(options)
        self.init(
            options, kernels, rowsSeen: 0, replica: replica,
            lane: TrainingLane(options, replica.shape, kernels))
    }

    init(
        _ options: TrainingOptions, _ kernels: KernelSet, rowsSeen: Int, replica: Replica,
        lane: TrainingLane
    ) {
        OpenBLAS.prepare()
        self.options = options
        self.kernels = kernels
        self.rowsSeen = rowsSeen
        self.replica = replica
        self.lane = lane
    }

    /// Metrics of all rows, each before it was learnt; nil for a regression.
    public var classification: ClassificationMetrics? { lane.metrics.classification }

    /// Metrics of all rows, each before it was learnt; nil for a classification.
    public var regression: RegressionMetrics? { lane.metrics.regression }

    /// How many steps the optimiser took: one for each batch, or for each row.
    public var steps: Int { replica.optimizer.steps }

    /// The predictions of the batch last given to `learn`, made before it was learnt:
    /// `[rows, outputs]`, probabilities for a classification.
    public var batchOutputs: Span<Float> {
        @_lifetime(borrow self)
        get { lane.judgement.outputs.span.extracting(0..<lane.outputCount) }
    }

    /// Predicts a batch, then learns from it.
    ///
    /// **Shape**: `features` holds `rows` rows, `stride` floats apart, NaN where missing; `labels`
    /// one number for each: a class from 0, or the number to predict. `weights` has one number of at
    /// least 0 for each row, what its loss is multiplied by; without, all count alike. The gradient
    /// is divided by the number of rows, whatever their weights. Rows without a label are not for
    /// training. No rows, no step.
    ///
    /// - Throws: `ModelError` with `invalidLabel`, `invalidFeature`, `invalidNumber` or
    ///   `divergedLoss`; then nothing was learnt, and the trainer is as before.
    /// - Complexity: O(rows · weights).
    public mutating func learn(
        _ features: Span<Float>, rows: Int, stride: Int, labels: Span<Float>,
        weights: Span<Float>? = nil
    ) throws(ModelError) -> BatchEvaluation {
        guard rows > 0 else {
            lane.discardOutputs()
            return BatchEvaluation()
        }
        lane.begin()
        try lane.learn(
            LabelledRows(features, rows: rows, stride: stride, labels: labels, weights: weights),
            on: &replica)
        rowsSeen += rows
        return lane.evaluation
    }

    /// The derivative of the mean loss of rows by each parameter, layer by layer, weights before
    /// biases, without the part of the penalties; nothing is learnt.
    ///
    /// - Throws: as `learn`.
    package func gradient(
        _ features: Span<Float>, rows: Int, stride: Int, labels: Span<Float>,
        weights: Span<Float>? = nil
    ) throws(ModelError) -> (loss: Double, gradient: [Float]) {
        var other = TrainingLane(options, replica.shape, kernels)
        try other.derive(
            LabelledRows(features, rows: rows, stride: stride, labels: labels, weights: weights),
            by: replica)
        other.divideGradient(by: rows)
        return (other.evaluation.lossSum / Double(rows), other.workspace.gradient)
    }

    /// The model as it is now: weights, means and deviations together.
    ///
    /// - Throws: `ModelError` when names do not fit, or training has made a number infinite.
    public func model(
        labels: [String] = [], featureNames: [String] = []
    ) throws(ModelError) -> Model {
        try replica.model(labels: labels, featureNames: featureNames)
    }
}

extension Replica {
    /// The model as it is now, with the input stage that its statistics make.
    func model(labels: [String], featureNames: [String]) throws(ModelError) -> Model {
        try Model(
            input: statistics.inputStage(options), layers: layers, activation: options.activation,
            head: options.objective.head, labels: labels, featureNames: featureNames)
    }
}
