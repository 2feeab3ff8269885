internal import MillraceCompute

/// The moments of Adam, and how many steps it took.
struct AdamOptimizer: Sendable {
    private(set) var steps = 0
    private var moment1: [Float]
    private var moment2: [Float]
    /// The betas to the power of `steps`, by repeated multiplication: the same on every machine.
    private var power1 = 1.0
    private var power2 = 1.0

    init(parameters: Int) {
        moment1 = [Float](repeating: 0, count: parameters)
        moment2 = moment1
    }

    /// One step down the gradient of `network`.
    mutating func step(_ network: inout TrainingNetwork, _ options: TrainingOptions) {
        power1 *= options.beta1
        power2 *= options.beta2
        let warmUp =
            steps < options.warmUpSteps ? Double(steps + 1) / Double(options.warmUpSteps) : 1
        let constants = AdamStep(
            rate: options.rate * warmUp * options.schedule.factor(step: steps),
            epsilon: options.epsilon, beta1: options.beta1, power1: power1, beta2: options.beta2,
            power2: power2)
        for layer in network.layers {
            for (range, l2) in [(layer.weights, options.l2), (layer.bias, 0)] {
                constants.apply(
                    range, l2: Float(l2), parameters: &network.parameters,
                    gradient: network.gradient, moment1: &moment1, moment2: &moment2)
            }
        }
        steps += 1
    }

    func encode(into writer: inout ByteWriter) {
        writer.append(UInt64(steps))
        writer.append([power1, power2])
        writer.append(moment1)
        writer.append(moment2)
    }

    init(parameters: Int, from reader: inout ByteReader) throws(ModelError) {
        steps = try reader.count("the number of steps", atMost: 1 << 60)
        let powers = try reader.doubles(2, "the powers of the betas")
        power1 = powers[0]
        power2 = powers[1]
        moment1 = try reader.floats(parameters, "the mean gradients")
        moment2 = try reader.floats(parameters, "the mean squared gradients")
        guard powers.allSatisfy({ (0...1).contains($0) }), moment2.allSatisfy({ $0 >= 0 }) else {
            throw reader.malformed("powers or squared gradients that no training has")
        }
    }
}
