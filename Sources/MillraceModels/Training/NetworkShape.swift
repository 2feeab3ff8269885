internal import MillraceCompute
internal import MillraceSystem

/// Where the parameters of a model in training are: all in one array, layer by layer, weights
/// `[inputs, outputs]` before biases.
struct NetworkShape: Sendable {
    struct Layer: Sendable {
        var inputs: Int
        var outputs: Int
        var weights: Range<Int>
        var bias: Range<Int>
        var function: Nonlinearity
    }

    let layers: [Layer]
    let parameterCount: Int

    init(_ options: TrainingOptions) {
        let widths = [options.features] + options.hidden + [options.objective.outputs]
        var layers: [Layer] = []
        var end = 0
        for (index, (inputs, outputs)) in zip(widths, widths.dropFirst()).enumerated() {
            let isLast = index == options.hidden.count
            let bias = end + inputs * outputs
            layers.append(
                Layer(
                    inputs: inputs, outputs: outputs, weights: end..<bias,
                    bias: bias..<bias + outputs,
                    function: isLast ? .identity : options.activation.nonlinearity))
            end = bias + outputs
        }
        self.layers = layers
        parameterCount = end
    }

    /// The parameters to begin with: linear models at zero; otherwise uniform weights with He's
    /// variance before a ReLU, and with Glorot's before the rest.
    ///
    /// - Source: He et al., "Delving Deep into Rectifiers", 2015; Glorot and Bengio, "Understanding
    ///   the difficulty of training deep feedforward neural networks", 2010.
    func drawParameters(seed: UInt64) -> [Float] {
        var parameters = [Float](repeating: 0, count: parameterCount)
        guard layers.count > 1 else { return parameters }
        var generator = SplitMix64(seed: seed)
        for layer in layers {
            let rectified = [.relu, .leakyReLU, .gelu].contains(layer.function)
            let fan = Double(rectified ? layer.inputs : layer.inputs + layer.outputs)
            let limit = (6 / fan).squareRoot()
            for i in layer.weights {
                parameters[i] = Float((2 * generator.unit() - 1) * limit)
            }
        }
        return parameters
    }
}
