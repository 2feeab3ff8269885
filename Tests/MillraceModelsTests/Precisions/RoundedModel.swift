import MillraceCompute
import MillraceModels

/// A model in bfloat16 by its definition, number by number, as the documentation has it: what the
/// kernels are held against, bit by bit.
///
/// Only with activations and heads of which the value is exact: ReLU and none.
struct RoundedModel {
    /// The order of a sum.
    enum Order {
        /// From zero, 32 inputs at a time, even and odd places apart; then the bias.
        case tiles
        /// From the bias, pair by pair, the odd place first.
        case pairs
    }

    let model: Model
    let order: Order

    static func order(of kernels: ReducedKernels) -> Order {
        [.amx, .amxModel].contains(kernels) ? .tiles : .pairs
    }

    /// A float32 whose significand has 8 bits, nearest, ties to even; denormal numbers are zero.
    static func rounded(_ x: Float) -> Float {
        guard x.isFinite, !x.isZero else { return x }
        guard x.isNormal else { return flushed(x) }
        let unit = Double(sign: .plus, exponent: Int(x.exponent) - 7, significand: 1)
        let nearest = (Double(x) / unit).rounded(.toNearestOrEven) * unit
        return Float(nearest)
    }

    static func flushed(_ x: Float) -> Float {
        x.isSubnormal ? Float(sign: x.sign, exponent: 0, significand: 0) : x
    }

    /// The outputs for one row.
    func predict(_ row: [Float]) -> [Float] {
        let input = model.input
        var values = input.width == row.count ? condition(row) : []
        for (index, layer) in model.layers.enumerated() {
            var weights = layer.weights
            if index == 0 {
                for i in weights.indices {
                    let scale = input.scale[i / layer.outputs]
                    if scale != 1 { weights[i] = Float(Double(weights[i]) * Double(scale)) }
                }
            }
            let (x, w) = (values.map(Self.rounded), weights.map(Self.rounded))
            switch order {
            case .tiles:
                values = sums(x, w, layer.outputs)
                for j in values.indices {
                    values[j] = Self.flushed(values[j] + Self.flushed(layer.bias[j]))
                }
            case .pairs: values = sumsOfPairs(x, w, layer.bias)
            }
            guard index < model.layers.count - 1 else { break }
            values = values.map { $0 < 0 ? 0 : $0 }
        }
        return values
    }

    private func condition(_ row: [Float]) -> [Float] {
        let input = model.input
        return row.indices.map { i in
            let isImputed = row[i].isNaN && input.missing == .impute
            let value = Self.flushed(isImputed ? input.impute[i] : row[i])
            let centred = Self.flushed(value - Self.flushed(input.mean[i]))
            let limit = input.limit[i]
            return centred > limit ? limit : centred < -limit ? -limit : centred
        }
    }

    /// Of 32 inputs at a time, those with even and those with odd place apart.
    private func sums(_ x: [Float], _ weights: [Float], _ outputs: Int) -> [Float] {
        (0..<outputs).map { j in
            var total: Float = 0
            for block in stride(from: 0, to: x.count, by: 32) {
                var parts: [Float] = [0, 0]
                for k in block..<block + 32 {
                    let isThere = k < x.count
                    parts[k % 2] = Self.flushed(
                        parts[k % 2].addingProduct(
                            isThere ? x[k] : 0, isThere ? weights[k * outputs + j] : 0))
                }
                total = Self.flushed(total + Self.flushed(parts[0] + parts[1]))
            }
            return total
        }
    }

    private func sumsOfPairs(_ x: [Float], _ weights: [Float], _ bias: [Float]) -> [Float] {
        bias.indices.map { j in
            var total = Self.flushed(bias[j])
            for first in stride(from: 0, to: x.count, by: 2) {
                for k in [first + 1, first] {
                    let isThere = k < x.count
                    total = Self.flushed(
                        total.addingProduct(
                            isThere ? x[k] : 0, isThere ? weights[k * bias.count + j] : 0))
                }
            }
            return total
        }
    }
}
