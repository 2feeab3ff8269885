internal import MillraceCompute

/// A model in training with all that its next step depends on.
struct Replica: Sendable {
    let options: TrainingOptions
    let shape: NetworkShape
    private(set) var parameters: [Float]
    private(set) var optimizer: OptimizerState
    /// What learns instead of `parameters` where rows are learnt one by one by SGD.
    private(set) var learner: LinearLearner?
    var statistics: FeatureStatistics

    init(_ options: TrainingOptions) {
        self.options = options
        shape = NetworkShape(options)
        parameters = shape.drawParameters(seed: options.seed)
        optimizer = OptimizerState(options.optimizer, parameters: parameters.count)
        learner = options.isLinearSGD ? LinearLearner(width: options.features) : nil
        statistics = FeatureStatistics(features: options.features)
    }

    /// One step down the summed gradient of `rows` rows.
    mutating func step(_ gradient: [Float], rows: Int) {
        optimizer.step(
            &parameters, gradient: gradient, rows: rows, shape: shape, options: options)
    }

    /// Learns rows one by one by SGD; false, and nothing learnt, when a prediction was not finite.
    ///
    /// `found` gets predictions and, where it `measures`, the moments of all rows in either case.
    mutating func learnRows(
        _ source: borrowing RowSource, rows: Int, measures: Bool, into found: inout Learnt,
        _ kernels: KernelSet
    ) -> Bool {
        guard var learner else { preconditionFailure("these options learn from gradients") }
        var settings: LinearLearner.Settings
        switch options.loss {
        case .huber(let delta):
            settings = LinearLearner.Settings(.huber)
            settings.huber = delta
        case .logistic: settings = LinearLearner.Settings(.logistic)
        default: settings = LinearLearner.Settings(.squared)
        }
        settings.l1 = options.regularization.l1
        settings.l2 = options.regularization.l2
        settings.limit = options.regularization.clipValue ?? .infinity
        let isConstant = options.schedule == .constant && optimizer.steps >= options.warmUpSteps
        if measures, !isConstant {
            found.moments.measure(
                source.features, rows: rows, stride: source.stride, kernels: kernels)
        }
        var next = 0
        while next < rows {
            let end = isConstant ? rows : next + 1
            let learnt = learner.learn(
                settings, rate: options.rate(step: optimizer.steps + next), source,
                rows: next..<end, measures: measures && isConstant, into: &found, kernels: kernels)
            guard learnt == end - next else { return false }
            next = end
        }
        guard learner.bias.isFinite else { return false }
        self.learner = learner
        optimizer.count(steps: rows)
        return true
    }

    /// Takes back what rows that were learnt one by one have changed.
    mutating func restore(_ learner: LinearLearner?, _ optimizer: OptimizerState) {
        self.learner = learner
        self.optimizer = optimizer
    }

    /// The layers as they are now.
    var layers: [DenseLayer] {
        if let learner {
            return [
                DenseLayer(
                    inputs: options.features, outputs: 1, weights: learner.folded,
                    bias: [Float(learner.bias)])
            ]
        }
        return shape.layers.map { layer in
            DenseLayer(
                inputs: layer.inputs, outputs: layer.outputs,
                weights: Array(parameters[layer.weights]), bias: Array(parameters[layer.bias]))
        }
    }

    /// What replicas that began alike and learnt `rows` rows each are on average; statistics are
    /// those of the first.
    static func average(_ replicas: [(replica: Replica, rows: Int)]) -> Replica {
        let total = Double(replicas.reduce(0) { $0 + $1.rows })
        let shares = replicas.map { Double($0.rows) / total }
        var result = replicas[0].replica
        result.parameters = Averaging.mean(
            zip(replicas, shares).map { ($0.0.replica.parameters, $0.1) })
        result.optimizer = OptimizerState.average(
            zip(replicas, shares).map { ($0.0.replica.optimizer, $0.1) })
        result.learner = LinearLearner.average(
            zip(replicas, shares).compactMap { pair in
                pair.0.replica.learner.map { ($0, pair.1) }
            })
        return result
    }

    /// Moves what was learnt since `base` onto `average`: parameters by the difference of the two,
    /// and what the optimiser sums up likewise; statistics stay.
    mutating func move(from base: Replica, to average: Replica) {
        parameters = Averaging.moved(
            parameters, from: base.parameters, to: average.parameters)
        optimizer.move(from: base.optimizer, to: average.optimizer, options.optimizer)
        guard let from = base.learner, let to = average.learner else { return }
        learner = learner?.moved(from: from, to: to)
    }

    func encode(into writer: inout ByteWriter) {
        statistics.encode(into: &writer)
        encodeModel(into: &writer)
    }

    /// Appends all but the statistics.
    func encodeModel(into writer: inout ByteWriter) {
        optimizer.encode(into: &writer)
        guard let learner else { return writer.append(parameters) }
        writer.append([learner.scale, learner.bias, learner.penalty] + learner.paid)
        writer.append(learner.weights)
    }

    init(_ options: TrainingOptions, from reader: inout ByteReader) throws(ModelError) {
        let statistics = try FeatureStatistics(features: options.features, from: &reader)
        try self.init(options, statistics, modelFrom: &reader)
    }

    /// All but the statistics from bytes.
    init(
        _ options: TrainingOptions, _ statistics: FeatureStatistics,
        modelFrom reader: inout ByteReader
    ) throws(ModelError) {
        self.options = options
        self.statistics = statistics
        shape = NetworkShape(options)
        optimizer = try OptimizerState(
            options.optimizer, parameters: shape.parameterCount, from: &reader)
        guard options.isLinearSGD else {
            parameters = try reader.floats(shape.parameterCount, "the parameters")
            learner = nil
            return
        }
        parameters = shape.drawParameters(seed: options.seed)
        let numbers = try reader.doubles(3 + options.features, "factor, bias and penalties")
        var learner = LinearLearner(width: options.features)
        learner.scale = numbers[0]
        learner.bias = numbers[1]
        learner.penalty = numbers[2]
        learner.paid = Array(numbers[3...])
        learner.weights = try reader.floats(options.features, "the weights")
        guard learner.scale > 0, learner.scale <= 1, learner.penalty >= 0 else {
            throw reader.malformed("a factor or penalty that no training has")
        }
        self.learner = learner
    }
}

extension LinearLearner {
    /// What learners are on average, each with its share; nil without any.
    static func average(_ learners: [(learner: LinearLearner, share: Double)]) -> LinearLearner? {
        guard var result = learners.first?.learner else { return nil }
        guard learners.count > 1 else { return result }
        result.weights = Averaging.mean(learners.map { ($0.learner.folded, $0.share) })
        result.scale = 1
        result.bias = learners.reduce(0) { $0 + $1.learner.bias * $1.share }
        result.penalty = learners.reduce(0) { $0 + $1.learner.penalty * $1.share }
        for i in result.paid.indices {
            result.paid[i] = learners.reduce(0) { $0 + $1.learner.paid[i] * $1.share }
        }
        return result
    }
}

extension LinearLearner {
    /// What was learnt since `base` on top of `average`.
    func moved(from base: LinearLearner, to average: LinearLearner) -> LinearLearner {
        var result = self
        result.weights = Averaging.moved(folded, from: base.folded, to: average.folded)
        result.scale = 1
        result.bias += average.bias - base.bias
        result.penalty = max(0, penalty + (average.penalty - base.penalty))
        for i in result.paid.indices { result.paid[i] += average.paid[i] - base.paid[i] }
        return result
    }
}

extension LinearLearner {
    /// The predictions of conditioned rows `[rows, width]`, in double.
    func predict(_ input: [Float], rows: Int, into sums: inout [Float]) {
        let width = weights.count
        for row in 0..<rows {
            var sum = 0.0
            for i in 0..<width { sum += Double(input[row * width + i]) * Double(weights[i]) }
            sums[row] = Float(sum * scale + bias)
        }
    }
}
