import MillraceModels
import MillraceSystem

/// Models, rows and noise drawn from a seed.
struct Draw {
    var generator: SplitMix64

    init(_ seed: UInt64) { generator = SplitMix64(seed: seed) }

    mutating func number(_ range: ClosedRange<Float> = -1...1) -> Float {
        range.lowerBound + Float(generator.unit()) * (range.upperBound - range.lowerBound)
    }

    mutating func numbers(_ count: Int, _ range: ClosedRange<Float> = -1...1) -> [Float] {
        (0..<count).map { _ in number(range) }
    }

    mutating func integer(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(generator.next() % UInt64(range.count))
    }

    /// A model of these widths, inputs first, with an input stage that does something.
    mutating func model(
        _ widths: [Int], _ activation: Activation = .relu, _ head: Head = .identity
    ) throws -> Model {
        let layers = zip(widths, widths.dropFirst()).map { inputs, outputs in
            let size = 1.5 / Float(inputs).squareRoot()
            return DenseLayer(
                inputs: inputs, outputs: outputs,
                weights: numbers(inputs * outputs, -size...size), bias: numbers(outputs))
        }
        let input = InputStage(
            impute: numbers(widths[0]), mean: numbers(widths[0]),
            limit: numbers(widths[0], 2...5), scale: numbers(widths[0], 0.5...2))
        return try Model(input: input, layers: layers, activation: activation, head: head)
    }

    /// Rows of features of which one in ten is missing.
    mutating func features(_ count: Int) -> [Float] {
        (0..<count).map { _ in integer(0...9) == 0 ? .nan : number(-4...4) }
    }
}

extension Trainer {
    /// Learns rows `[labels.count, features]`.
    @discardableResult
    mutating func learn(_ features: [Float], _ labels: [Float]) throws -> BatchEvaluation {
        try learn(
            features.span, rows: labels.count, stride: options.features, labels: labels.span)
    }
}
