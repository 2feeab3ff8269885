internal import MillraceCompute

/// Rows given to a trainer: `rows` of them, `stride` floats apart, NaN where a feature is missing;
/// a label for each, and either no weights or one for each.
package struct LabelledRows: ~Escapable {
    package let features: Span<Float>
    package let rows: Int
    package let stride: Int
    package let labels: Span<Float>
    package let weights: Span<Float>?

    @_lifetime(copy features, copy labels, copy weights)
    package init(
        _ features: Span<Float>, rows: Int, stride: Int, labels: Span<Float>,
        weights: Span<Float>? = nil
    ) {
        precondition(
            labels.count >= rows && (weights?.count ?? rows) >= rows,
            "a label, and a weight if any, for each row")
        self.features = features
        self.rows = rows
        self.stride = stride
        self.labels = labels
        self.weights = weights
    }
}

/// What one thread needs to learn from rows that come to it alone, and what it has found out.
struct TrainingLane: Sendable {
    private let options: TrainingOptions
    private let function: LossFunction
    private(set) var workspace: GradientWorkspace
    /// Metrics of all rows of this lane, each before it was learnt.
    private(set) var metrics: StreamMetrics
    /// Metrics of the rows that are held out.
    private(set) var heldOut: StreamMetrics
    /// Of the rows since the lanes were last brought together.
    private(set) var statistics: FeatureStatistics
    private(set) var evaluation = BatchEvaluation()
    /// Of the rows given last.
    private var latest: FeatureStatistics
    private var input: [Float] = []
    private var factors: [Float] = []
    /// Of the rows given last: the predictions of the first ones, `outputCount` numbers, are made.
    private(set) var judgement = LossFunction.Judgement()
    private(set) var outputCount = 0
    private var sums: [Float] = []
    private let kernels: KernelSet

    init(
        _ options: TrainingOptions, _ shape: NetworkShape, _ kernels: KernelSet,
        metrics: StreamMetrics? = nil, heldOut: StreamMetrics? = nil
    ) {
        self.options = options
        self.kernels = kernels
        function = LossFunction(options, kernels: kernels)
        workspace = GradientWorkspace(shape, kernels)
        self.metrics = metrics ?? StreamMetrics(options.objective)
        self.heldOut = heldOut ?? StreamMetrics(options.objective)
        statistics = FeatureStatistics(features: options.features)
        latest = statistics
    }

    /// Forgets what it has found out since the lanes were last brought together.
    mutating func begin() {
        guard evaluation.rows > 0 else { return }
        statistics = FeatureStatistics(features: options.features)
        evaluation = BatchEvaluation()
    }

    /// Forgets the predictions of the rows given last.
    mutating func discardOutputs() { outputCount = 0 }

    /// Adds another lane's gradient to this one's.
    mutating func add(gradientOf other: TrainingLane) {
        for i in workspace.gradient.indices {
            workspace.gradient[i] += other.workspace.gradient[i]
        }
    }

    /// Makes the gradient that of the mean loss.
    mutating func divideGradient(by rows: Int) {
        let share = 1 / Float(rows)
        for i in workspace.gradient.indices { workspace.gradient[i] *= share }
    }

    /// Predicts rows by a model and derives the gradient of their summed loss.
    ///
    /// - Throws: `ModelError` with `invalidLabel`, `invalidFeature` or `divergedLoss`; nothing has
    ///   been counted then.
    mutating func derive(
        _ rows: borrowing LabelledRows, by replica: borrowing Replica
    ) throws(ModelError) {
        let moments = try prepare(rows, replica.statistics)
        workspace.forward(input, rows: rows.rows, parameters: replica.parameters)
        let found = function.evaluate(
            workspace.logits, labels: rows.labels, factors: factors, rows: rows.rows,
            into: &judgement)
        try check(found)
        workspace.backward(
            input, rows: rows.rows, parameters: replica.parameters, slopes: judgement.delta)
        count(rows, found, moments)
    }

    /// Predicts rows that nobody learns from, and counts how well.
    ///
    /// - Throws: as `derive`.
    mutating func judge(
        _ rows: borrowing LabelledRows, by replica: borrowing Replica
    ) throws(ModelError) {
        _ = try prepare(rows, replica.statistics)
        if let learner = replica.learner {
            reserveSums(rows)
            learner.predict(input, rows: rows.rows, into: &sums)
        } else {
            workspace.forward(input, rows: rows.rows, parameters: replica.parameters)
            sums = workspace.logits
            reserveSums(rows)
        }
        let found = function.evaluate(
            sums, labels: rows.labels, factors: [], rows: rows.rows, into: &judgement)
        try check(found)
        heldOut.count(sums, labels: rows.labels, found, options.objective)
        outputCount = 0
    }

    /// Predicts rows by a model and has the model learn from them.
    ///
    /// - Throws: as `derive`; the model is as before then.
    mutating func learn(
        _ rows: borrowing LabelledRows, on replica: inout Replica
    ) throws(ModelError) {
        guard options.mode == .sequential else {
            try derive(rows, by: replica)
            replica.step(workspace.gradient, rows: rows.rows)
            replica.statistics.merge(latest)
            return
        }
        let moments = try prepare(rows, replica.statistics)
        let before = replica
        do throws(ModelError) {
            let found =
                options.isLinearSGD
                ? try learnSums(rows, on: &replica) : try learnSingly(rows, on: &replica)
            count(rows, found, moments)
        } catch {
            replica = before
            outputCount = 0
            throw error
        }
        replica.statistics.merge(latest)
    }

    // MARK: Parts of a step

    /// Checks rows and conditions them by the statistics of the rows before; without any, by their
    /// own.
    private mutating func prepare(
        _ rows: borrowing LabelledRows, _ basis: FeatureStatistics
    ) throws(ModelError) -> FeatureStatistics {
        outputCount = 0
        try check(rows)
        // Row by row, which also brings the rows into the cache for their columns to be read.
        if !basis.isEmpty { condition(rows, basis) }
        let moments = ColumnMoments(
            rows.features, rows: rows.rows, width: options.features, stride: rows.stride,
            kernels: kernels)
        for i in 0..<options.features
        where !moments.mean[i].isFinite || !moments.squares[i].isFinite {
            throw ModelError(.invalidFeature, "feature \(i) of the batch has an infinite number")
        }
        var own = FeatureStatistics(features: options.features)
        own.merge(moments)
        if basis.isEmpty { condition(rows, own) }
        outputCount = rows.rows * options.objective.outputs
        weigh(rows)
        return own
    }

    /// Makes `input` of the rows.
    private mutating func condition(
        _ rows: borrowing LabelledRows, _ statistics: FeatureStatistics
    ) {
        let needed = rows.rows * options.features
        if input.count < needed { input = [Float](repeating: 0, count: needed) }
        statistics.inputStage(options).conditioning.apply(
            rows.features, rows: rows.rows, stride: rows.stride, into: &input)
    }

    private func check(_ rows: borrowing LabelledRows) throws(ModelError) {
        for row in 0..<rows.rows {
            guard options.objective.accepts(rows.labels[row]) else {
                let classes = options.objective.classes
                let expected =
                    classes > 0 ? "a class from 0 to \(classes - 1)" : "a finite number"
                throw ModelError(
                    .invalidLabel,
                    "row \(row) of the batch has the label \(rows.labels[row]), where \(expected) "
                        + "must be")
            }
            if let weights = rows.weights, !(weights[row].isFinite && weights[row] >= 0) {
                throw ModelError(
                    .invalidNumber,
                    "row \(row) of the batch has the weight \(weights[row]), which must be finite "
                        + "and not below 0")
            }
        }
    }

    /// What each row's loss is multiplied by; nothing when all count alike.
    private mutating func weigh(_ rows: borrowing LabelledRows) {
        factors.removeAll(keepingCapacity: true)
        guard rows.weights != nil || !options.classWeights.isEmpty else { return }
        for row in 0..<rows.rows {
            var factor: Float = 1
            if let weights = rows.weights { factor = weights[row] }
            if !options.classWeights.isEmpty {
                factor *= Float(options.classWeights[Int(rows.labels[row])])
            }
            factors.append(factor)
        }
    }

    private mutating func check(_ found: BatchEvaluation) throws(ModelError) {
        guard found.lossSum.isFinite, found.plainLossSum.isFinite else {
            outputCount = 0
            throw Self.diverged(options, metrics.rows)
        }
    }

    private static func diverged(_ options: TrainingOptions, _ rows: Int) -> ModelError {
        ModelError(
            .divergedLoss,
            "the loss of the batch after row \(rows) is not finite: "
                + "a smaller rate than \(options.optimizer.rate), or scaled features, may help")
    }

    private mutating func count(
        _ rows: borrowing LabelledRows, _ found: BatchEvaluation, _ moments: FeatureStatistics
    ) {
        let judged = options.mode == .sequential ? sums : workspace.logits
        metrics.count(judged, labels: rows.labels, found, options.objective)
        evaluation.add(found)
        statistics.merge(moments)
        latest = moments
    }

    // MARK: One row at a time

    private mutating func reserveSums(_ rows: borrowing LabelledRows) {
        let needed = rows.rows * options.objective.outputs
        if sums.count < needed { sums = [Float](repeating: 0, count: needed) }
        judgement.reserve(rows: rows.rows, width: options.objective.outputs)
    }

    private mutating func learnSums(
        _ rows: borrowing LabelledRows, on replica: inout Replica
    ) throws(ModelError) -> BatchEvaluation {
        reserveSums(rows)
        guard
            replica.learnRows(
                input, rows: rows.rows, labels: rows.labels, factors: factors, sums: &sums,
                kernels)
        else { throw Self.diverged(options, metrics.rows) }
        let found = function.evaluate(
            sums, labels: rows.labels, factors: factors, rows: rows.rows, into: &judgement)
        try check(found)
        return found
    }

    /// A step from the gradient of each row.
    private mutating func learnSingly(
        _ rows: borrowing LabelledRows, on replica: inout Replica
    ) throws(ModelError) -> BatchEvaluation {
        reserveSums(rows)
        let width = options.features
        let wide = options.objective.outputs
        let all = factors
        var single = LossFunction.Judgement()
        var total = BatchEvaluation()
        for row in 0..<rows.rows {
            let features = Array(input[row * width..<(row + 1) * width])
            workspace.forward(features, rows: 1, parameters: replica.parameters)
            let found = function.evaluate(
                workspace.logits, labels: rows.labels.extracting(row..<row + 1),
                factors: all.isEmpty ? [] : [all[row]], rows: 1, into: &single)
            try check(found)
            for i in 0..<wide {
                sums[row * wide + i] = workspace.logits[i]
                judgement.outputs[row * wide + i] = single.outputs[i]
            }
            workspace.backward(
                features, rows: 1, parameters: replica.parameters, slopes: single.delta)
            replica.step(workspace.gradient, rows: 1)
            total.add(found)
        }
        return total
    }
}
