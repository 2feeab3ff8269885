internal import MillraceCompute

/// What an optimiser remembers, and how many steps it took.
struct OptimizerState: Sendable, Equatable {
    private(set) var steps = 0
    /// Velocity, mean gradient or FTRL's z, and sum or mean of squared gradients; empty where the
    /// optimiser has no use for them.
    private(set) var first: [Float]
    private(set) var second: [Float]
    /// The betas to the power of `steps`, by repeated multiplication: the same on every machine.
    private var power1 = 1.0
    private var power2 = 1.0

    init(_ optimizer: Optimizer, parameters: Int) {
        first = [Float](repeating: 0, count: optimizer.hasFirst ? parameters : 0)
        second = [Float](repeating: 0, count: optimizer.hasSecond ? parameters : 0)
    }

    /// The rate of the next step.
    func rate(_ options: TrainingOptions) -> Double { options.rate(step: steps) }

    /// Counts steps that were taken elsewhere.
    mutating func count(steps taken: Int) { steps += taken }

    /// One step down the gradient, which is divided by `rows` first.
    mutating func step(
        _ parameters: inout [Float], gradient: [Float], rows: Int, shape: NetworkShape,
        options: TrainingOptions
    ) {
        var step = options.optimizer.step
        let penalties = options.regularization
        power1 *= step.beta1
        power2 *= step.beta2
        step.rate = rate(options)
        step.power1 = power1
        step.power2 = power2
        step.scale = 1 / Double(rows)
        if let most = penalties.clipNorm {
            let norm = Self.norm(gradient) / Double(rows)
            if norm > most { step.scale *= most / norm }
        }
        if let most = penalties.clipValue { step.limit = most }
        var ofWeights = step
        ofWeights.l1 = penalties.l1
        ofWeights.l2 = penalties.l2
        ofWeights.decay = 1 - step.rate * options.optimizer.weightDecay
        for layer in shape.layers {
            ofWeights.apply(
                layer.weights, parameters: &parameters, gradient: gradient, first: &first,
                second: &second)
            step.apply(
                layer.bias, parameters: &parameters, gradient: gradient, first: &first,
                second: &second)
        }
        steps += 1
    }

    /// The Euclidean length, summed from first to last in double.
    private static func norm(_ gradient: [Float]) -> Double {
        var sum = 0.0
        for x in gradient { sum += Double(x) * Double(x) }
        return sum.squareRoot()
    }

    /// What `states` are on average, each with its share; the steps of the one with the most.
    static func average(_ states: [(state: OptimizerState, share: Double)]) -> OptimizerState {
        var result = states[0].state
        for other in states.dropFirst() where other.state.steps > result.steps {
            result.steps = other.state.steps
            result.power1 = other.state.power1
            result.power2 = other.state.power2
        }
        result.first = Averaging.mean(states.map { ($0.state.first, $0.share) })
        result.second = Averaging.mean(states.map { ($0.state.second, $0.share) })
        return result
    }

    /// Moves what an optimiser sums up over its life by the difference of two states.
    ///
    /// Means of the newest gradients and velocities stay: those of the own rows are the newest that
    /// there are of them.
    mutating func move(from base: Self, to average: Self, _ optimizer: Optimizer) {
        guard optimizer.sumsUp else { return }
        first = Averaging.moved(first, from: base.first, to: average.first)
        second = Averaging.moved(second, from: base.second, to: average.second)
            .map { max(0, $0) }
    }

    func encode(into writer: inout ByteWriter) {
        writer.append(UInt64(steps))
        writer.append([power1, power2])
        writer.append(first)
        writer.append(second)
    }

    init(
        _ optimizer: Optimizer, parameters: Int, from reader: inout ByteReader
    ) throws(ModelError) {
        steps = try reader.count("the number of steps", atMost: 1 << 60)
        let powers = try reader.doubles(2, "the powers of the betas")
        power1 = powers[0]
        power2 = powers[1]
        first = try reader.floats(optimizer.hasFirst ? parameters : 0, "the mean gradients")
        second = try reader.floats(
            optimizer.hasSecond ? parameters : 0, "the squared gradients")
        guard powers.allSatisfy({ (0...1).contains($0) }), second.allSatisfy({ $0 >= 0 }) else {
            throw reader.malformed("powers or squared gradients that no training has")
        }
    }
}

/// Means of arrays with shares that add up to 1, in double, from first to last.
enum Averaging {
    static func mean(_ arrays: [(values: [Float], share: Double)]) -> [Float] {
        guard arrays.count > 1 else { return arrays.first?.values ?? [] }
        var sums = arrays[0].values.map { Double($0) * arrays[0].share }
        for (values, share) in arrays.dropFirst() {
            for i in sums.indices { sums[i] += Double(values[i]) * share }
        }
        return sums.map { Float($0) }
    }

    /// Each number moved by the difference of two others, in double.
    static func moved(_ values: [Float], from base: [Float], to target: [Float]) -> [Float] {
        values.indices.map {
            Float(Double(values[$0]) + (Double(target[$0]) - Double(base[$0])))
        }
    }
}
