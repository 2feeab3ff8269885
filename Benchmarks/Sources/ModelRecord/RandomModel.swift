internal import BenchmarkSupport
internal import Millrace

/// A model without meaning of a given shape: inputs first, ReLU, softmax.
func randomModel(_ widths: [Int], seed: UInt64) throws -> Model {
    var random = SplitMix64(seed: seed)
    return try Model(
        input: InputStage(identity: widths[0]), layers: randomLayers(widths, using: &random),
        activation: .relu, head: .softmax)
}
