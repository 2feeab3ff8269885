internal import MillraceCompute

/// Memory in which one thread derives a gradient from rows.
struct GradientWorkspace: Sendable {
    let shape: NetworkShape
    /// The derivative of the summed loss of the rows by each parameter.
    var gradient: [Float]
    private var sums: [[Float]]
    private var values: [[Float]]
    /// The derivative of the loss by the sums of the layer at hand; at first of the last one.
    var delta: [Float] = []
    private var nextDelta: [Float] = []
    private var ones: [Float] = []

    init(_ shape: NetworkShape) {
        self.shape = shape
        gradient = [Float](repeating: 0, count: shape.parameterCount)
        sums = [[Float]](repeating: [], count: shape.layers.count)
        values = sums
    }

    /// The sums of the last layer after `forward`: `[rows, outputs]`.
    var logits: [Float] { sums[shape.layers.count - 1] }

    private mutating func reserve(_ rows: Int) {
        guard ones.count < rows else { return }
        ones = [Float](repeating: 1, count: rows)
        var widest = 0
        for (index, layer) in shape.layers.enumerated() {
            sums[index] = [Float](repeating: 0, count: rows * layer.outputs)
            values[index] = sums[index]
            widest = max(widest, layer.outputs)
        }
        delta = [Float](repeating: 0, count: rows * widest)
        nextDelta = delta
    }

    /// Fills `logits` from conditioned rows `[rows, inputs]`.
    mutating func forward(_ input: [Float], rows: Int, parameters: [Float]) {
        reserve(rows)
        for (index, layer) in shape.layers.enumerated() {
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
    mutating func backward(_ input: [Float], rows: Int, parameters: [Float]) {
        for (index, layer) in shape.layers.enumerated().reversed() {
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
                shape.layers[index - 1].function, z: sums[index - 1], a: values[index - 1],
                delta: &nextDelta, count: rows * layer.inputs)
            swap(&delta, &nextDelta)
        }
    }
}
