internal import BenchmarkSupport
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

    func layers() -> [DenseLayer] {
        var random = SplitMix64(seed: 1)
        return randomLayers(widths, using: &random, bias: -0.1...0.1)
    }

    /// Features are taken as they are, as the other engines take them.
    func model() throws -> Model {
        var input = InputStage(identity: widths[0])
        input.missing = .propagate
        return try Model(input: input, layers: layers(), activation: .relu, head: .identity)
    }

    func features(_ rows: Int) -> [Float] {
        var random = SplitMix64(seed: 2)
        return (0..<rows * widths[0]).map { _ in Float.random(in: -1...1, using: &random) }
    }
}
