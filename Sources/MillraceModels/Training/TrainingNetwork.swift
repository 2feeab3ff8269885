internal import MillraceCompute
internal import MillraceSystem

/// The layers of a model in training: parameters, gradients, and what a mini-batch leaves in between.
///
/// All parameters are in one array, layer by layer, weights `[inputs, outputs]` before biases.
struct TrainingNetwork: Sendable {
    struct Layer: Sendable {
        var inputs: Int
        var outputs: Int
        var weights: Range<Int>
        var bias: Range<Int>
        var function: Nonlinearity
    }

    let layers: [Layer]
    var parameters: [Float]
    private(set) var gradient: [Float]
    private var sums: [[Float]]
    private var values: [[Float]]
    /// The derivative of the loss by the sums of the layer at hand; at first of the last one.
    var delta: [Float] = []
    private var nextDelta: [Float] = []
    private var ones: [Float] = []

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
        parameters = [Float](repeating: 0, count: end)
        gradient = parameters
        sums = [[Float]](repeating: [], count: layers.count)
        values = sums
        if layers.count > 1 { drawWeights(seed: options.seed) }
    }

    /// Uniform weights: He's variance before a ReLU, otherwise Glorot's.
    ///
    /// - Source: He et al., "Delving Deep into Rectifiers", 2015; Glorot and Bengio, "Understanding
    ///   the difficulty of training deep feedforward neural networks", 2010.
    private mutating func drawWeights(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        for layer in layers {
            let rectified = [.relu, .leakyReLU, .gelu].contains(layer.function)
            let fan = Double(rectified ? layer.inputs : layer.inputs + layer.outputs)
            let limit = (6 / fan).squareRoot()
            for i in layer.weights {
                parameters[i] = Float((2 * generator.unit() - 1) * limit)
            }
        }
    }

    /// The sums of the last layer after `forward`: `[rows, outputs]`.
    var logits: [Float] { sums[layers.count - 1] }

    private mutating func reserve(_ rows: Int) {
        guard ones.count < rows else { return }
        ones = [Float](repeating: 1, count: rows)
        var widest = 0
        for (index, layer) in layers.enumerated() {
            sums[index] = [Float](repeating: 0, count: rows * layer.outputs)
            values[index] = sums[index]
            widest = max(widest, layer.outputs)
        }
        delta = [Float](repeating: 0, count: rows * widest)
        nextDelta = delta
    }

    /// Fills `logits` from conditioned rows `[rows, inputs]`.
    mutating func forward(_ input: [Float], rows: Int) {
        reserve(rows)
        for (index, layer) in layers.enumerated() {
            BLAS.multiply(
                .plain, rows: rows, columns: layer.outputs, depth: layer.inputs,
                index == 0 ? input : values[index - 1], parameters,
                startB: layer.weights.lowerBound, into: &sums[index])
            Elementwise.activate(
                layer.function, bias: parameters, startBias: layer.bias.lowerBound, rows: rows,
                columns: layer.outputs, z: &sums[index], a: &values[index])
        }
    }

    /// Fills `gradient` from `delta`, which holds the derivative of the loss by `logits`.
    mutating func backward(_ input: [Float], rows: Int) {
        for (index, layer) in layers.enumerated().reversed() {
            BLAS.multiply(
                .transposedLeft, rows: layer.inputs, columns: layer.outputs, depth: rows,
                index == 0 ? input : values[index - 1], delta, into: &gradient,
                startC: layer.weights.lowerBound)
            BLAS.multiply(
                .plain, rows: 1, columns: layer.outputs, depth: rows, ones, delta, into: &gradient,
                startC: layer.bias.lowerBound)
            guard index > 0 else { break }
            BLAS.multiply(
                .transposedRight, rows: rows, columns: layer.inputs, depth: layer.outputs, delta,
                parameters, startB: layer.weights.lowerBound, into: &nextDelta)
            Elementwise.differentiate(
                layers[index - 1].function, z: sums[index - 1], a: values[index - 1],
                delta: &nextDelta, count: rows * layer.inputs)
            swap(&delta, &nextDelta)
        }
    }
}
