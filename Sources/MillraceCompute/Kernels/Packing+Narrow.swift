internal import CMillraceKernels

/// Weights of which several share the place of a float; see `cm_narrow_set`.
extension Packing {
    /// The place of a word in a layer's panels, in floats.
    private struct Words {
        let count: Int
        let columns: Int

        init(inputs: Int, columns: Int, word: Int) {
            count = Packing.padded(inputs, to: word) / word
            self.columns = columns
        }

        func place(_ index: Int, _ column: Int) -> Int {
            let panel = Int(CM_NARROW_PANEL)
            let first = column / panel * panel
            let width = min(panel, Packing.padded(columns - first, to: 16))
            return first * count + index * width + column - first
        }
    }

    func packPairs(
        _ weights: [Float], columns: Int, at start: Int, _ packed: inout MutableSpan<Float>
    ) {
        let inputs = weights.count / columns
        let words = Words(inputs: inputs, columns: columns, word: 2)
        for k in stride(from: 0, to: inputs, by: 2) {
            for column in 0..<columns {
                let even = cm_to_bfloat16(weights[k * columns + column])
                let odd = k + 1 < inputs ? cm_to_bfloat16(weights[(k + 1) * columns + column]) : 0
                packed[start + words.place(k / 2, column)] = Float(
                    bitPattern: UInt32(odd) << 16 | UInt32(even))
            }
        }
    }

    func packBytes(
        _ layer: ByteWeights, _ shape: PackedNetwork.Layer, _ place: Place,
        _ packed: inout MutableSpan<Float>
    ) {
        let (inputs, columns) = (shape.inputs, shape.outputs)
        let words = Words(inputs: inputs, columns: columns, word: 4)
        for k in stride(from: 0, to: inputs, by: 4) {
            for column in 0..<columns {
                var word: UInt32 = 0
                for i in 0..<min(4, inputs - k) {
                    let weight = UInt8(bitPattern: layer.weights[(k + i) * columns + column])
                    word |= UInt32(weight) << UInt32(8 * i)
                }
                packed[place.weights + words.place(k / 4, column)] = Float(bitPattern: word)
            }
        }
        for j in 0..<columns {
            packed[place.bias + j] = layer.offset[j]
            packed[place.bytes + j] = Float(bitPattern: UInt32(bitPattern: layer.start[j]))
            packed[place.bytes + place.stride + j] = layer.scale[j]
            guard let next = layer.next else { continue }
            packed[place.bytes + 2 * place.stride + j] = next.scale[j]
            packed[place.bytes + 3 * place.stride + j] = next.zero[j]
        }
    }

    /// What features are rounded from; `scale` is what they are multiplied by before, where that has
    /// not been done.
    func packFeatureBytes(
        _ range: LayerRange, _ scale: [Float]?, _ stride: Int, _ packed: inout MutableSpan<Float>
    ) {
        for i in range.low.indices {
            let step = range.step(i)
            packed[4 * stride + i] = Float(Double(scale?[i] ?? 1) / step.size)
            packed[5 * stride + i] = Float(step.zero)
        }
    }
}
