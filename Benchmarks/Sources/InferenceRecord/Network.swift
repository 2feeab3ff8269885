internal import MillraceModels

/// A network that engines are compared on.
struct Network {
    /// What it is called in the table.
    let name: String
    /// Inputs first.
    let widths: [Int]
    /// Rows in a call.
    let batches: [Int]

    static let all = [
        Network(
            name: "MLP 64-128-64-10", widths: [64, 128, 64, 10],
            batches: [1, 8, 64, 256, 1024, 4096]),
        Network(
            name: "MLP 256-512-256-1", widths: [256, 512, 256, 1],
            batches: [1, 8, 64, 256, 1024, 4096]),
        Network(
            name: "Linear 64-1", widths: [64, 1], batches: [1, 8, 64, 256, 1024, 4096]),
    ]

    /// The name of its files.
    var stem: String { widths.map(String.init).joined(separator: "-") }

    /// Multiplications and additions for one row.
    var operationsPerRow: Double {
        zip(widths, widths.dropFirst()).reduce(0) { $0 + 2 * Double($1.0 * $1.1) }
    }

    /// Bytes of all weights and biases.
    var weightBytes: Int {
        zip(widths, widths.dropFirst()).reduce(0) { $0 + 4 * ($1.0 + 1) * $1.1 }
    }

    /// Weights within Glorot's bound, which keeps activations of one size from layer to layer.
    func layers() -> [DenseLayer] {
        var random = Generator(state: 1)
        return zip(widths, widths.dropFirst()).map { inputs, outputs in
            let bound = (6 / Float(inputs + outputs)).squareRoot()
            return DenseLayer(
                inputs: inputs, outputs: outputs,
                weights: (0..<inputs * outputs).map { _ in
                    Float.random(in: -bound...bound, using: &random)
                },
                bias: (0..<outputs).map { _ in Float.random(in: -0.1...0.1, using: &random) })
        }
    }

    /// Features are taken as they are, as the other engines take them.
    func model() throws -> Model {
        var input = InputStage(identity: widths[0])
        input.missing = .propagate
        return try Model(input: input, layers: layers(), activation: .relu, head: .identity)
    }

    func features(_ rows: Int) -> [Float] {
        var random = Generator(state: 2)
        return (0..<rows * widths[0]).map { _ in Float.random(in: -1...1, using: &random) }
    }
}

/// SplitMix64.
struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
