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

    /// Some of the rows.
    @_lifetime(copy self)
    package func rows(_ range: Range<Int>) -> LabelledRows {
        LabelledRows(
            features.extracting(range.lowerBound * stride..<range.upperBound * stride),
            rows: range.count, stride: stride, labels: labels.extracting(range),
            weights: weights?.extracting(range))
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
    /// Of the rows since the lanes were last brought together; of none where it does not measure.
    private(set) var statistics: FeatureStatistics
    /// Whether it takes the moments of features.
    private let measures: Bool
    private(set) var evaluation = BatchEvaluation()
    /// Of the rows given last: sums of those that were learnt one by one or judged, and moments
    /// where it measures.
    private var found: Learnt
    /// What becomes of features where no statistics take part in it.
    private let fixedStage: Conditioning?
    private var input: [Float] = []
    /// Whether the rows whose features were last looked at where they lie had nothing but finite
    /// numbers.
    private var wereFinite = true
    private var factors: [Float] = []
    /// Of the rows given last: the predictions of the first ones, `outputCount` numbers, are made.
    private(set) var judgement = LossFunction.Judgement()
    private(set) var outputCount = 0
    private let kernels: KernelSet

    /// A lane that has seen nothing but what the metrics say; where it `watches`, it has statistics
    /// of the features though nothing that it learns depends on them.
    init(
        _ options: TrainingOptions, _ shape: NetworkShape, _ kernels: KernelSet,
        watches: Bool = false, metrics: StreamMetrics? = nil, heldOut: StreamMetrics? = nil
    ) {
        self.options = options
        self.kernels = kernels
        measures = watches || options.usesStatistics
        function = LossFunction(options, kernels: kernels)
        workspace = GradientWorkspace(shape, kernels)
        self.metrics = metrics ?? StreamMetrics(options.objective)
        self.heldOut = heldOut ?? StreamMetrics(options.objective)
        statistics = FeatureStatistics(features: options.features)
        found = Learnt(width: options.features)
        fixedStage = options.usesStatistics ? nil : statistics.inputStage(options).conditioning
    }

    /// Forgets what it has found out since the lanes were last brought together.
    mutating func begin() {
        guard evaluation.rows > 0 else { return }
        statistics.clear()
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
        let isInPlace = try forward(rows, by: replica)
        let losses = function.evaluate(
            workspace.logits, labels: rows.labels, factors: factors, rows: rows.rows,
            into: &judgement)
        try check(losses)
        let conditioned = input
        workspace.backward(
            isInPlace ? rows.features : conditioned.span, rows: rows.rows,
            parameters: replica.parameters, slopes: judgement.delta)
        count(rows, losses)
    }

    /// Predicts rows that nobody learns from, and counts how well.
    ///
    /// - Throws: as `derive`.
    mutating func judge(
        _ rows: borrowing LabelledRows, by replica: borrowing Replica
    ) throws(ModelError) {
        if let learner = replica.learner {
            try begin(rows)
            try prepare(rows, replica.statistics)
            reserveSums(rows)
            learner.predict(input, rows: rows.rows, into: &found.sums)
        } else {
            _ = try forward(rows, by: replica)
            found.sums = workspace.logits
            reserveSums(rows)
        }
        let losses = function.evaluate(
            found.sums, labels: rows.labels, factors: [], rows: rows.rows, wantsDelta: false,
            into: &judgement)
        try check(losses)
        heldOut.count(found.sums, labels: rows.labels, losses, options.objective)
        outputCount = 0
    }

    /// Predicts rows by a model and has the model learn from them.
    ///
    /// - Throws: as `derive`; the model is as before then.
    mutating func learn(
        _ rows: borrowing LabelledRows, on replica: inout Replica
    ) throws(ModelError) {
        if options.isLinearSGD {
            try learnSums(rows, on: &replica)
        } else if options.mode == .sequential {
            try learnSingly(rows, on: &replica)
        } else {
            try derive(rows, by: replica)
            replica.step(workspace.gradient, rows: rows.rows)
        }
        if measures { replica.statistics.merge(found.moments) }
    }

    // MARK: Parts of a step

    /// Checks rows and fills the workspace's logits; whether from the features where they lie.
    ///
    /// That is done where nothing becomes of features but that something stands for missing ones, and
    /// none is; where none was among the rows before, it is tried before that is known: a product
    /// waits less for rows that come from memory than whoever only looks at them.
    private mutating func forward(
        _ rows: borrowing LabelledRows, by replica: borrowing Replica
    ) throws(ModelError) -> Bool {
        try begin(rows)
        if !measures, rows.stride == options.features {
            let features = rows.features.extracting(0..<rows.rows * options.features)
            let isTried = wereFinite
            if isTried {
                workspace.forward(features, rows: rows.rows, parameters: replica.parameters)
            }
            wereFinite = FloatScan.areFinite(features)
            if wereFinite {
                if !isTried {
                    workspace.forward(features, rows: rows.rows, parameters: replica.parameters)
                }
                outputCount = rows.rows * options.objective.outputs
                return true
            }
        }
        try prepare(rows, replica.statistics)
        let conditioned = input
        workspace.forward(
            conditioned.span, rows: rows.rows, parameters: replica.parameters)
        return false
    }

    /// Checks the features of rows and conditions them by the statistics of the rows before; without
    /// any, by their own.
    private mutating func prepare(
        _ rows: borrowing LabelledRows, _ basis: FeatureStatistics
    ) throws(ModelError) {
        let stage = try stage(rows, basis)
        let none: [Float] = []
        found.prepare(
            RowSource(
                stage, rows.features, stride: rows.stride, labels: rows.labels,
                factors: none.span), rows: rows.rows, measures: measures, into: &input, kernels)
        if measures {
            try checkMoments()
        } else if FloatScan.hasInfinity(input.span.extracting(0..<rows.rows * options.features)) {
            // What stands for missing features is finite, and the others are as they came.
            try checkFeatures(rows)
        }
        outputCount = rows.rows * options.objective.outputs
    }

    /// Checks rows but for their features.
    private mutating func begin(_ rows: borrowing LabelledRows) throws(ModelError) {
        outputCount = 0
        try check(rows)
        weigh(rows)
    }

    /// What becomes of the features of rows, by the statistics of the rows before; without any, by
    /// their own.
    private mutating func stage(
        _ rows: borrowing LabelledRows, _ basis: FeatureStatistics
    ) throws(ModelError) -> Conditioning {
        if let fixedStage { return fixedStage }
        guard basis.isEmpty else { return basis.inputStage(options).conditioning }
        found.moments.measure(
            rows.features, rows: rows.rows, stride: rows.stride, kernels: kernels)
        try checkMoments()
        return FeatureStatistics(found.moments).inputStage(options).conditioning
    }

    /// Refuses infinite features of rows whose moments have been taken.
    private func checkMoments() throws(ModelError) {
        if let feature = found.moments.firstInfinite { throw Self.infinite(feature) }
    }

    /// Refuses infinite features of rows without moments.
    private func checkFeatures(_ rows: borrowing LabelledRows) throws(ModelError) {
        for feature in 0..<options.features {
            for row in 0..<rows.rows where rows.features[row * rows.stride + feature].isInfinite {
                throw Self.infinite(feature)
            }
        }
    }

    private static func infinite(_ feature: Int) -> ModelError {
        ModelError(.invalidFeature, "feature \(feature) of the batch has an infinite number")
    }

    private func check(_ rows: borrowing LabelledRows) throws(ModelError) {
        if let row = options.objective.firstRefused(rows.labels, rows: rows.rows) {
            let classes = options.objective.classes
            let expected = classes > 0 ? "a class from 0 to \(classes - 1)" : "a finite number"
            throw ModelError(
                .invalidLabel,
                "row \(row) of the batch has the label \(rows.labels[row]), where \(expected) "
                    + "must be")
        }
        guard let weights = rows.weights else { return }
        for row in 0..<rows.rows where !(weights[row].isFinite && weights[row] >= 0) {
            throw ModelError(
                .invalidNumber,
                "row \(row) of the batch has the weight \(weights[row]), which must be finite "
                    + "and not below 0")
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

    private mutating func check(_ losses: BatchEvaluation) throws(ModelError) {
        guard losses.lossSum.isFinite, losses.plainLossSum.isFinite else {
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

    private mutating func count(_ rows: borrowing LabelledRows, _ losses: BatchEvaluation) {
        if options.mode == .sequential {
            metrics.count(found.sums, labels: rows.labels, losses, options.objective)
        } else {
            metrics.count(workspace.logits, labels: rows.labels, losses, options.objective)
        }
        evaluation.add(losses)
        if measures { statistics.merge(found.moments) }
    }

    // MARK: One row at a time

    private mutating func reserveSums(_ rows: borrowing LabelledRows) {
        found.reserve(rows: rows.rows * options.objective.outputs)
        judgement.reserve(rows: rows.rows, width: options.objective.outputs)
    }

    /// The steps of a linear model by SGD, which conditions rows on the way, and measures them.
    private mutating func learnSums(
        _ rows: borrowing LabelledRows, on replica: inout Replica
    ) throws(ModelError) {
        try begin(rows)
        let stage = try stage(rows, replica.statistics)
        let before = (learner: replica.learner, optimizer: replica.optimizer)
        let factors = factors
        do throws(ModelError) {
            let isLearnt = replica.learnRows(
                RowSource(
                    stage, rows.features, stride: rows.stride, labels: rows.labels,
                    factors: factors.span), rows: rows.rows, measures: measures, into: &found,
                kernels)
            if measures {
                try checkMoments()
            } else if !isLearnt {
                // An infinite number leads to a sum that is not finite.
                try checkFeatures(rows)
            }
            guard isLearnt else { throw Self.diverged(options, metrics.rows) }
            let losses = function.evaluate(
                found.sums, labels: rows.labels, factors: factors, rows: rows.rows,
                wantsDelta: false, into: &judgement)
            try check(losses)
            outputCount = rows.rows * options.objective.outputs
            count(rows, losses)
        } catch {
            replica.restore(before.learner, before.optimizer)
            throw error
        }
    }

    /// A step from the gradient of each row.
    private mutating func learnSingly(
        _ rows: borrowing LabelledRows, on replica: inout Replica
    ) throws(ModelError) {
        try begin(rows)
        try prepare(rows, replica.statistics)
        let before = replica
        do throws(ModelError) {
            let losses = try step(rows, on: &replica)
            count(rows, losses)
        } catch {
            replica = before
            outputCount = 0
            throw error
        }
    }

    private mutating func step(
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
            workspace.forward(features.span, rows: 1, parameters: replica.parameters)
            let losses = function.evaluate(
                workspace.logits, labels: rows.labels.extracting(row..<row + 1),
                factors: all.isEmpty ? [] : [all[row]], rows: 1, into: &single)
            try check(losses)
            for i in 0..<wide {
                found.sums[row * wide + i] = workspace.logits[i]
                judgement.outputs[row * wide + i] = single.outputs[i]
            }
            workspace.backward(
                features.span, rows: 1, parameters: replica.parameters, slopes: single.delta)
            replica.step(workspace.gradient, rows: 1)
            total.add(losses)
        }
        return total
    }
}
