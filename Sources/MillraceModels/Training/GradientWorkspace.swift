internal import MillraceCompute

/// Memory in which one thread derives a gradient from rows.
struct GradientWorkspace: Sendable {
    let shape: NetworkShape
    /// The derivative of the summed loss of the rows by each parameter.
    var gradient: [Float]
    private var product: MatrixProduct
    /// What functions are applied to, where their derivatives need it.
    private var sums: [[Float]]
    private var values: [[Float]]
    /// The derivative of the loss by the sums of the layer at hand.
    private var delta: [Float] = []
    private var nextDelta: [Float] = []
    private var rows = 0

    init(_ shape: NetworkShape, _ kernels: KernelSet) {
        self.shape = shape
        product = MatrixProduct(kernels)
        gradient = [Float](repeating: 0, count: shape.parameterCount)
        sums = [[Float]](repeating: [], count: shape.layers.count)
        values = sums
    }

    /// The sums of the last layer after `forward`: `[rows, outputs]`.
    var logits: [Float] { values[shape.layers.count - 1] }

    private mutating func reserve(_ rows: Int) {
        guard self.rows < rows else { return }
        self.rows = rows
        var widest = 0
        for (index, layer) in shape.layers.enumerated() {
            values[index] = [Float](repeating: 0, count: rows * layer.outputs)
            if layer.function.derivativeNeedsArgument { sums[index] = values[index] }
            widest = max(widest, layer.outputs)
        }
        delta = [Float](repeating: 0, count: rows * widest)
        nextDelta = delta
    }

    /// Fills `logits` from conditioned rows `[rows, inputs]`.
    mutating func forward(_ input: Span<Float>, rows: Int, parameters: [Float]) {
        reserve(rows)
        for (index, layer) in shape.layers.enumerated() {
            let below = index == 0 ? [] : values[index - 1]
            product.layer(
                MatrixProduct.Size(rows: rows, columns: layer.outputs, depth: layer.inputs),
                index == 0 ? input : below.span, fromMemory: index == 0, parameters: parameters,
                weights: layer.weights.lowerBound, bias: layer.bias.lowerBound, layer.function,
                z: &sums[index], y: &values[index])
        }
    }

    /// Fills `gradient` from `slopes`, the derivative of the loss by `logits`.
    mutating func backward(
        _ input: Span<Float>, rows: Int, parameters: [Float], slopes: [Float]
    ) {
        let last = shape.layers.count - 1
        for (index, layer) in shape.layers.enumerated().reversed() {
            let below = index == 0 ? [] : values[index - 1]
            let above = index == last ? slopes : delta
            product.multiply(
                .transposedLeft,
                MatrixProduct.Size(rows: layer.inputs, columns: layer.outputs, depth: rows),
                index == 0 ? input : below.span, above, into: &gradient,
                startC: layer.weights.lowerBound)
            if index == last {
                product.sumColumns(
                    slopes, rows: rows, columns: layer.outputs, into: &gradient,
                    start: layer.bias.lowerBound)
            }
            guard index > 0 else { break }
            let former = shape.layers[index - 1]
            product.slopes(
                MatrixProduct.Size(rows: rows, columns: layer.inputs, depth: layer.outputs),
                above.span, parameters, startB: layer.weights.lowerBound,
                MatrixProduct.Derivative(
                    former.function,
                    z: former.function.derivativeNeedsArgument ? sums[index - 1] : nil,
                    values: below),
                into: &nextDelta, sums: &gradient, start: former.bias.lowerBound)
            swap(&delta, &nextDelta)
        }
    }
}
