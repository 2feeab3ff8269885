/// A layer in bytes: its weights, and what its sums are scaled by, as `cm_byte_layer` has it.
///
/// Weights are symmetric: output j has a unit, of which each weight times the step of its input's
/// range is rounded to a multiple from -127 to 127, ties to even. All is computed in double and
/// rounded once.
struct ByteWeights {
    /// `[inputs, outputs]`, row-major.
    var weights: [Int8]
    /// What sums begin with: minus the products of the weights with the bytes that stand for zero.
    var start: [Int32]
    var scale: [Float]
    var offset: [Float]
    /// Of the bytes that the next layer takes; nil for the last layer, and where scale and offset
    /// say it all.
    var next: (scale: [Float], zero: [Float])?

    /// Rounds the weights of `layer`, which takes numbers in `range` and gives some in `next`; nil for
    /// the last layer.
    init(_ layer: PackedNetwork.Layer, _ range: LayerRange, next: LayerRange?) {
        let outputs = layer.outputs
        let steps = (0..<layer.inputs).map(range.step)
        weights = [Int8](repeating: 0, count: layer.weights.count)
        start = [Int32](repeating: 0, count: outputs)
        var units = [Double](repeating: 0, count: outputs)
        for k in 0..<layer.inputs {
            for j in 0..<outputs {
                units[j] = max(
                    units[j], abs(Double(layer.weights[k * outputs + j]) * steps[k].size) / 127)
            }
        }
        for k in 0..<layer.inputs {
            for j in 0..<outputs where units[j] > 0 {
                let exact = Double(layer.weights[k * outputs + j]) * steps[k].size / units[j]
                let weight = Int8(max(-127, min(127, exact.rounded(.toNearestOrEven))))
                weights[k * outputs + j] = weight
                // No layer has more than CM_BYTE_INPUTS_MAX inputs.
                start[j] -= Int32(steps[k].zero) * Int32(weight)
            }
        }
        scale = units.map { Float($0) }
        offset = layer.bias
        guard let next else { return }
        let targets = (0..<outputs).map(next.step)
        if layer.function == .relu || layer.function == .identity {
            for j in 0..<outputs {
                scale[j] = Float(units[j] / targets[j].size)
                offset[j] = Float(Double(layer.bias[j]) / targets[j].size + targets[j].zero)
            }
        } else {
            self.next = (targets.map { Float(1 / $0.size) }, targets.map { Float($0.zero) })
        }
    }
}
