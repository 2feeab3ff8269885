public import MillraceModels

/// Layers of these widths, inputs first, with weights from `random` within Glorot's bound, which keeps
/// activations of one size from layer to layer, and biases within `bias`, or 0.
public func randomLayers(
    _ widths: [Int], using random: inout some RandomNumberGenerator,
    bias: ClosedRange<Float>? = nil
) -> [DenseLayer] {
    zip(widths, widths.dropFirst()).map { inputs, outputs in
        let bound = (6 / Float(inputs + outputs)).squareRoot()
        return DenseLayer(
            inputs: inputs, outputs: outputs,
            weights: (0..<inputs * outputs).map { _ in
                Float.random(in: -bound...bound, using: &random)
            },
            bias: (0..<outputs).map { _ in
                bias.map { Float.random(in: $0, using: &random) } ?? 0
            })
    }
}
