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
    public func predict(_ features: [Float]) -> [Double] {
        precondition(features.count == model.inputWidth, "a row has inputWidth features")
        let input = model.input
        var values = features.indices.map { i in
            let x = features[i].isNaN ? input.impute[i] : features[i]
            let limit = Double(input.limit[i])
            let centred = Double(x) - Double(input.mean[i])
            return min(max(centred, -limit), limit) * Double(input.scale[i])
        }
        for (index, layer) in model.layers.enumerated() {
            values = Self.multiply(values, layer)
            if index < model.layers.count - 1 { values = values.map(apply) }
        }
        switch model.head {
        case .identity: return values
        case .sigmoid: return values.map(Self.sigmoid)
        case .softmax:
            let largest = values.max() ?? 0
            let exponentials = values.map { exp($0 - largest) }
            let sum = exponentials.reduce(0, +)
            return exponentials.map { $0 / sum }
        }
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
        case .relu: max(x, 0)
        case .leakyReLU: x > 0 ? x : 0.01 * x
        case .tanh: tanh(x)
        case .sigmoid: Self.sigmoid(x)
        case .gelu: 0.5 * x * erfc(-x * 0.5.squareRoot())
        }
    }

    private static func sigmoid(_ x: Double) -> Double {
        x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x))
    }
}
