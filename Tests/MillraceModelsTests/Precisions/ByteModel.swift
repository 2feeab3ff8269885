import MillraceCompute
import MillraceModels

/// A model in bytes by its definition, number by number, as the documentation has it: what the kernels
/// are held against, bit by bit.
///
/// Only with hidden layers that are cut at zero, and no head.
struct ByteModel {
    let model: Model
    let ranges: [LayerRange]

    private static func step(_ range: LayerRange, _ i: Int) -> (size: Double, zero: Double) {
        let size = (Double(range.high[i]) - Double(range.low[i])) / 255
        return (size, (Double(-range.low[i]) / size).rounded(.toNearestOrEven))
    }

    private static func byte(_ x: Float) -> Int {
        Int((x < 255 ? max(x, 0) : 255).rounded(.toNearestOrEven))
    }

    /// The outputs for one row.
    func predict(_ row: [Float]) -> [Float] {
        let features = condition(row)
        let layers = model.layers
        guard features.allSatisfy(\.isFinite) else {
            return layers[layers.count - 1].bias.map { _ in .nan }
        }
        var bytes = features.indices.map { i in
            let step = Self.step(ranges[0], i)
            let scale = Float(Double(model.input.scale[i]) / step.size)
            return Self.byte(Float(step.zero).addingProduct(features[i], scale))
        }
        var outputs: [Float] = []
        for (index, layer) in layers.enumerated() {
            let isLast = index + 1 == layers.count
            outputs = (0..<layer.outputs).map { j in
                let (sum, unit) = product(index, j, bytes)
                guard !isLast else {
                    return RoundedModel.flushed(
                        layer.bias[j].addingProduct(Float(sum), Float(unit)))
                }
                let next = Self.step(ranges[index + 1], j)
                let offset = Float(Double(layer.bias[j]) / next.size + next.zero)
                return offset.addingProduct(Float(sum), Float(unit / next.size))
            }
            bytes = outputs.map(Self.byte)
        }
        return outputs
    }

    /// The sum for one output, and what one of it is worth.
    private func product(_ index: Int, _ j: Int, _ bytes: [Int]) -> (Int, Double) {
        let layer = model.layers[index]
        let steps = (0..<layer.inputs).map { Self.step(ranges[index], $0) }
        let exact = (0..<layer.inputs).map { k in
            Double(layer.weights[k * layer.outputs + j]) * steps[k].size
        }
        let unit = exact.map { abs($0) / 127 }.max() ?? 0
        guard unit > 0 else { return (0, unit) }
        let sum = (0..<layer.inputs).reduce(0) { sum, k in
            let weight = Int((exact[k] / unit).rounded(.toNearestOrEven))
            return sum + (bytes[k] - Int(steps[k].zero)) * weight
        }
        return (sum, unit)
    }

    private func condition(_ row: [Float]) -> [Float] {
        let input = model.input
        return row.indices.map { i in
            let isImputed = row[i].isNaN && input.missing == .impute
            let centred = (isImputed ? input.impute[i] : row[i]) - input.mean[i]
            let limit = input.limit[i]
            return centred > limit ? limit : centred < -limit ? -limit : centred
        }
    }

    /// How far an output of a model of one layer can be off, for a row within the ranges: each byte by
    /// its step at most, each weight by half a unit.
    var bound: [Double] {
        let layer = model.layers[0]
        return (0..<layer.outputs).map { j in
            let unit = product(0, j, [Int](repeating: 0, count: layer.inputs)).1
            return (0..<layer.inputs).reduce(1e-5) { sum, k in
                let step = Self.step(ranges[0], k)
                let weight = abs(Double(layer.weights[k * layer.outputs + j]))
                return sum + weight * step.size + 255 * unit / 2
            }
        }
    }
}
