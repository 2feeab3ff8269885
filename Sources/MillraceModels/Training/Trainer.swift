internal import MillraceCompute

/// Learns a linear model or a multi-layer perceptron from mini-batches, by Adam.
///
/// Each batch is predicted before it is learnt from, so the metrics are honest over the whole
/// stream ("prequential"). Both use the means and deviations of the rows before the batch; only the
/// very first batch, which has none before it, uses its own.
///
/// The same batches in the same order give the same bits on the same kind of processor. A trainer
/// restored from a checkpoint goes on as if it had never stopped.
/// **Thread-safety**: one owner.
public struct Trainer: ~Copyable, Sendable {
    /// What it was made with.
    public let options: TrainingOptions
    /// How many rows were learnt from.
    public private(set) var rowsSeen = 0
    /// Metrics of all batches, each before it was learnt; nil for a regression.
    public private(set) var classification: ClassificationMetrics?
    /// Metrics of all batches, each before it was learnt; nil for a classification.
    public private(set) var regression: RegressionMetrics?

    private(set) var statistics: FeatureStatistics
    private(set) var network: TrainingNetwork
    private(set) var optimizer: AdamOptimizer
    private var input: [Float] = []
    private var outputs: [Float] = []
    private var outputCount = 0

    /// A trainer that has seen nothing.
    ///
    /// Linear models start from zero, others from weights drawn by the seed.
    ///
    /// - Throws: `ModelError` with `invalidOption`.
    public init(_ options: TrainingOptions) throws(ModelError) {
        try options.validate()
        let network = TrainingNetwork(options)
        let classes = options.objective.classes
        self.init(
            options: options, rowsSeen: 0,
            statistics: FeatureStatistics(features: options.features), network: network,
            optimizer: AdamOptimizer(parameters: network.parameters.count),
            classification: classes > 0 ? ClassificationMetrics(classes: classes) : nil,
            regression: classes > 0 ? nil : RegressionMetrics())
    }

    init(
        options: TrainingOptions, rowsSeen: Int, statistics: FeatureStatistics,
        network: TrainingNetwork, optimizer: AdamOptimizer,
        classification: ClassificationMetrics?, regression: RegressionMetrics?
    ) {
        OpenBLAS.prepare()
        self.options = options
        self.rowsSeen = rowsSeen
        self.statistics = statistics
        self.network = network
        self.optimizer = optimizer
        self.classification = classification
        self.regression = regression
    }

    /// How many steps Adam took: one for each batch.
    public var steps: Int { optimizer.steps }

    /// The predictions of the batch last given to `learn`, made before it was learnt:
    /// `[rows, outputs]`, probabilities for a classification.
    public var batchOutputs: Span<Float> {
        @_lifetime(borrow self)
        get { outputs.span.extracting(0..<outputCount) }
    }

    /// The derivative of the last batch's mean loss by each parameter, layer by layer, weights before
    /// biases; without the part of `l2`.
    package var gradient: [Float] { network.gradient }

    /// Predicts a mini-batch, then learns from it: one step of Adam.
    ///
    /// **Shape**: `features` holds `rows` rows, `stride` floats apart, NaN where missing; `labels`
    /// one number for each: a class from 0, or the number to predict. Rows without a label are not
    /// for training. No rows, no step.
    ///
    /// - Throws: `ModelError` with `invalidLabel`, `invalidFeature` or `divergedLoss`; then nothing
    ///   was learnt, and the trainer is as before.
    /// - Complexity: O(rows · weights).
    public mutating func learn(
        _ features: Span<Float>, rows: Int, stride: Int, labels: Span<Float>
    ) throws(ModelError) -> BatchEvaluation {
        precondition(labels.count >= rows, "a label for each row")
        guard rows > 0 else {
            outputCount = 0
            return BatchEvaluation()
        }
        try check(labels, rows: rows)
        let moments = ColumnMoments(features, rows: rows, width: options.features, stride: stride)
        try check(moments)
        var basis = statistics
        if rowsSeen == 0 { basis.merge(moments) }
        condition(features, rows: rows, stride: stride, by: basis)
        network.forward(input, rows: rows)
        let evaluation = evaluate(labels, rows: rows)
        guard evaluation.lossSum.isFinite else {
            outputCount = 0
            throw ModelError(
                .divergedLoss,
                "the loss of the batch after row \(rowsSeen) is not finite: "
                    + "a smaller rate than \(options.rate), or scaled features, may help")
        }
        count(labels, rows: rows, evaluation)
        network.backward(input, rows: rows)
        optimizer.step(&network, options)
        if rowsSeen == 0 { statistics = basis } else { statistics.merge(moments) }
        rowsSeen += rows
        return evaluation
    }

    /// The model as it is now: weights, means and deviations together.
    ///
    /// - Throws: `ModelError` when names do not fit, or training has made a number infinite.
    public func model(
        labels: [String] = [], featureNames: [String] = []
    ) throws(ModelError) -> Model {
        let layers = network.layers.map { layer in
            DenseLayer(
                inputs: layer.inputs, outputs: layer.outputs,
                weights: Array(network.parameters[layer.weights]),
                bias: Array(network.parameters[layer.bias]))
        }
        return try Model(
            input: statistics.inputStage(options), layers: layers, activation: options.activation,
            head: options.objective.head, labels: labels, featureNames: featureNames)
    }

    private func check(_ labels: Span<Float>, rows: Int) throws(ModelError) {
        for row in 0..<rows where !options.objective.accepts(labels[row]) {
            let classes = options.objective.classes
            let expected = classes > 0 ? "a class from 0 to \(classes - 1)" : "a finite number"
            throw ModelError(
                .invalidLabel,
                "row \(row) of the batch has the label \(labels[row]), where \(expected) must be")
        }
    }

    private func check(_ moments: ColumnMoments) throws(ModelError) {
        for i in 0..<options.features
        where !moments.mean[i].isFinite || !moments.squares[i].isFinite {
            throw ModelError(.invalidFeature, "feature \(i) of the batch has an infinite number")
        }
    }

    private mutating func condition(
        _ features: Span<Float>, rows: Int, stride: Int, by basis: FeatureStatistics
    ) {
        let needed = rows * options.features
        if input.count < needed { input = [Float](repeating: 0, count: needed) }
        basis.inputStage(options).conditioning.apply(
            features, rows: rows, stride: stride, into: &input)
    }

    private mutating func evaluate(_ labels: Span<Float>, rows: Int) -> BatchEvaluation {
        outputCount = rows * options.objective.outputs
        if outputs.count < outputCount { outputs = [Float](repeating: 0, count: outputCount) }
        return options.objective.evaluate(
            network.logits, labels: labels, rows: rows, outputs: &outputs, delta: &network.delta)
    }

    /// Adds an evaluated batch to the metrics of the whole stream.
    private mutating func count(
        _ labels: Span<Float>, rows: Int, _ evaluation: BatchEvaluation
    ) {
        switch options.objective {
        case .regression:
            for row in 0..<rows {
                regression?.add(predicted: Double(network.logits[row]), actual: Double(labels[row]))
            }
        case .logistic:
            for row in 0..<rows {
                classification?.add(
                    logOdds: Double(network.logits[row]), positive: labels[row] == 1)
            }
        case .softmax(classes: 2):
            for row in 0..<rows {
                let odds = Double(network.logits[2 * row + 1]) - Double(network.logits[2 * row])
                classification?.add(logOdds: odds, positive: labels[row] == 1)
            }
        case .softmax:
            classification?.add(evaluation)
        }
    }
}
