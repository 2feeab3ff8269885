internal import Glibc

/// The predictions of a model by its definition, in double and without shortcuts: what kernels are
/// held against.
///
/// - Complexity: O(rows · weights), slow.
public struct ReferenceModel: Sendable {
    private let model: Model

    /// The reference of `model`.
    public init(_ model: Model) { self.model = model }

    /// The outputs for one row of raw features, NaN where missing.
    public func predict(_ row: [Float]) -> [Double] {
        precondition(row.count == model.inputWidth, "a row has inputWidth numbers")
        let features = model.input.selection?.columns.map { row[$0] } ?? row
        if model.input.missing == .reject, !features.allSatisfy(\.isFinite) {
            return [Double](repeating: .nan, count: model.outputWidth)
        }
        var values = input(features)
        for (index, layer) in model.layers.enumerated() {
            values = Self.multiply(values, layer)
            if index < model.layers.count - 1 { values = values.map(apply) }
        }
        switch model.head {
        case .identity, .scores: return values
        case .sigmoid: return values.map(Self.sigmoid)
        case .softmax:
            let largest = values.max() ?? 0
            return Self.shares(values.map { exp($0 - largest) })
        case .oneVsRest: return Self.shares(values.map(Self.sigmoid))
        }
    }

    /// What the first layer takes.
    private func input(_ features: [Float]) -> [Double] {
        let stage = model.input
        let values = features.indices.map { i in
            let isImputed = features[i].isNaN && stage.missing == .impute
            let centred = Double(isImputed ? stage.impute[i] : features[i]) - Double(stage.mean[i])
            let limit = Double(stage.limit[i])
            let clamped = centred > limit ? limit : centred < -limit ? -limit : centred
            return clamped * Double(stage.scale[i])
        }
        let norm =
            switch stage.normalisation {
            case .none: 1.0
            case .l1: values.reduce(0) { $0 + abs($1) }
            case .l2: values.reduce(0) { $0 + $1 * $1 }.squareRoot()
            case .max: values.reduce(0) { abs($1) < $0 ? $0 : abs($1) }
            }
        return norm == 0 ? values : values.map { $0 / norm }
    }

    private static func shares(_ values: [Double]) -> [Double] {
        let sum = values.reduce(0, +)
        return values.map { $0 / sum }
    }

    private static func multiply(_ values: [Double], _ layer: DenseLayer) -> [Double] {
        var sums = layer.bias.map(Double.init)
        for (k, value) in values.enumerated() {
            for j in 0..<layer.outputs {
                sums[j] += value * Double(layer.weights[k * layer.outputs + j])
            }
        }
        return sums
    }

    private func apply(_ x: Double) -> Double {
        switch model.activation {
        case .relu: x < 0 ? 0 : x
        case .leakyReLU: x < 0 ? 0.01 * x : x
        case .tanh: tanh(x)
        case .sigmoid: Self.sigmoid(x)
        case .gelu: 0.5 * x * erfc(-x * 0.5.squareRoot())
        }
    }

    private static func sigmoid(_ x: Double) -> Double {
        x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x))
    }
}
