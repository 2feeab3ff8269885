import MillraceCompute
import MillraceModels
import MillraceSystem
import Testing

/// What scores: the kernels of a set, or those of a reduced precision.
struct Scoring: Sendable, CustomTestStringConvertible {
    let kernels: KernelSet
    let reduced: ReducedKernels?

    /// Everything that this machine has.
    static let all =
        KernelSet.available.map { Scoring(kernels: $0, reduced: nil) }
        + (bfloat16 + int8).map { Scoring(kernels: .best, reduced: $0) }

    /// The models in software, and what the processor has.
    static let bfloat16 = ReducedKernels.allCases.filter {
        $0.isAvailable && $0.precision == .bfloat16
    }
    static let int8 = ReducedKernels.allCases.filter { $0.isAvailable && $0.precision == .int8 }

    var testDescription: String { reduced?.name ?? "\(kernels)" }

    /// In bytes, spread over what layers take of `rows`, or else of rows like those that models here
    /// are drawn for.
    func prepare(_ model: Model, ranges rows: [Float]? = nil) -> PreparedModel {
        guard reduced?.precision == .int8 else {
            return PreparedModel(model, kernels: kernels, reduced: reduced)
        }
        var draw = Draw(3)
        let width = model.inputWidth
        let rows = rows ?? draw.features(50 * width)
        var finder = RangeFinder(model)
        finder.add(FeatureMatrix(rows.span, rows: rows.count / width, stride: width))
        return PreparedModel(model, kernels: kernels, reduced: reduced, ranges: finder.ranges())
    }
}

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

    /// Layers of these widths, inputs first.
    mutating func layers(_ widths: [Int]) -> [DenseLayer] {
        var layers: [DenseLayer] = []
        for (inputs, outputs) in zip(widths, widths.dropFirst()) {
            let size = 1.5 / Float(inputs).squareRoot()
            layers.append(
                DenseLayer(
                    inputs: inputs, outputs: outputs,
                    weights: numbers(inputs * outputs, -size...size), bias: numbers(outputs)))
        }
        return layers
    }

    /// An input stage that does something to each feature.
    mutating func inputStage(_ width: Int) -> InputStage {
        InputStage(
            impute: numbers(width), mean: numbers(width), limit: numbers(width, 2...5),
            scale: numbers(width, 0.5...2))
    }

    /// A model of these widths, inputs first, with an input stage that does something.
    mutating func model(
        _ widths: [Int], _ activation: Activation = .relu, _ head: Head = .identity
    ) throws -> Model {
        let layers = layers(widths)
        return try Model(
            input: inputStage(widths[0]), layers: layers, activation: activation, head: head)
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
