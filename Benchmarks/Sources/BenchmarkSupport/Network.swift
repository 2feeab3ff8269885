public import MillraceModels

/// A network that engines are compared on.
public struct Network: Sendable {
    /// What it is called in the table.
    public let name: String
    /// Inputs first.
    public let widths: [Int]
    /// Rows in a call.
    public let batches: [Int]

    /// A network with these widths, inputs first, and no table.
    public init(name: String, widths: [Int]) {
        self.init(name: name, widths: widths, batches: [])
    }

    private init(name: String, widths: [Int], batches: [Int]) {
        self.name = name
        self.widths = widths
        self.batches = batches
    }

    /// Those of the tables.
    public static let all = [
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
    public var stem: String { widths.map(String.init).joined(separator: "-") }

    /// Multiplications and additions for one row.
    public var operationsPerRow: Double {
        zip(widths, widths.dropFirst()).reduce(0) { $0 + 2 * Double($1.0 * $1.1) }
    }

    /// Bytes of all weights and biases.
    public var weightBytes: Int {
        zip(widths, widths.dropFirst()).reduce(0) { $0 + 4 * ($1.0 + 1) * $1.1 }
    }

    /// Its layers, the same each time.
    public func layers() -> [DenseLayer] {
        var random = SplitMix64(seed: 1)
        return randomLayers(widths, using: &random, bias: -0.1...0.1)
    }

    /// Features are taken as they are, as the other engines take them.
    public func model() throws -> Model {
        var input = InputStage(identity: widths[0])
        input.missing = .propagate
        return try Model(input: input, layers: layers(), activation: .relu, head: .identity)
    }

    /// Rows within -1 and 1, the same each time.
    public func features(_ rows: Int) -> [Float] {
        var random = SplitMix64(seed: 2)
        return (0..<rows * widths[0]).map { _ in Float.random(in: -1...1, using: &random) }
    }

    /// Writes each layer's weights `[inputs, outputs]`, then its bias, to `stem`.f32 in `directory`.
    public func writeWeights(to directory: String) throws {
        try write(layers().flatMap { $0.weights + $0.bias }.span, to: "\(directory)/\(stem).f32")
    }
}
