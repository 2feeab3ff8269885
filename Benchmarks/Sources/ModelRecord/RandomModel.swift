internal import BenchmarkSupport
internal import Millrace

/// A model without meaning of a given shape: inputs first, ReLU, softmax.
func randomModel(_ widths: [Int], seed: UInt64) throws -> Model {
    var random = SplitMix64(seed: seed)
    let layers = zip(widths, widths.dropFirst()).map { inputs, outputs in
        let bound = (6 / Float(inputs + outputs)).squareRoot()
        return DenseLayer(
            inputs: inputs, outputs: outputs,
            weights: (0..<inputs * outputs).map { _ in
                Float.random(in: -bound...bound, using: &random)
            },
            bias: [Float](repeating: 0, count: outputs))
    }
    return try Model(
        input: InputStage(identity: widths[0]), layers: layers, activation: .relu, head: .softmax)
}
