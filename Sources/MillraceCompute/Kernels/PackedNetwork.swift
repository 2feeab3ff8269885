internal import CMillraceKernels
internal import COpenBLAS

/// Layers packed for one kernel set, and what stands before and after them.
///
/// Rows go through all layers in tiles of 64, so that activations stay in the nearest caches.
/// **Thread-safety**: constant after `init`; any number of threads, each with its own scratch.
@safe package struct PackedNetwork: ~Copyable, Sendable {
    /// A dense layer as it comes: weights `[inputs, outputs]`, row-major.
    package struct Layer {
        package var inputs: Int
        package var outputs: Int
        package var weights: [Float]
        package var bias: [Float]
        package var function: Nonlinearity

        package init(
            inputs: Int, outputs: Int, weights: [Float], bias: [Float], function: Nonlinearity
        ) {
            precondition(
                weights.count == inputs * outputs && bias.count == outputs && outputs > 0,
                "a layer's weights and bias must have its shape")
            self.inputs = inputs
            self.outputs = outputs
            self.weights = weights
            self.bias = bias
            self.function = function
        }

        /// The weights for inputs that are not scaled: each times its input's scale, in double.
        package func foldedWeights(_ scale: [Float]) -> [Float] {
            precondition(scale.count == inputs, "a scale for each input")
            var folded = weights
            for k in 0..<inputs where scale[k] != 1 {
                for j in k * outputs..<(k + 1) * outputs {
                    folded[j] = Float(Double(folded[j]) * Double(scale[k]))
                }
            }
            return folded
        }
    }

    private struct Placed {
        var inputs: Int
        var outputs: Int
        var stride: Int
        var weights: Int
        var bias: Int
        var function: Nonlinearity
    }

    /// Rows that go through the layers together; OpenBLAS always gets as many.
    package static let tileRows = 64

    package let kernels: KernelSet
    package let inputs: Int
    package let outputs: Int
    private let table: KernelTable
    private let normalised: Bool
    private let inputStride: Int
    private let widest: Int
    private let layers: [Placed]
    private let storage: FloatBuffer

    /// Packs the layers; `conditioning.scale` goes into the first one's weights, in double.
    ///
    /// `softmax` asks for a softmax over the outputs of the last layer.
    package init(
        conditioning: Conditioning, layers: [Layer], softmax: Bool, kernels: KernelSet
    ) {
        guard let first = layers.first, let last = layers.last else {
            preconditionFailure("a network needs a layer")
        }
        precondition(first.inputs == conditioning.width, "the first layer takes every feature")
        if kernels == .blas { OpenBLAS.prepare() }
        self.kernels = kernels
        inputs = first.inputs
        outputs = last.outputs
        normalised = softmax
        table = KernelTable(kernels)
        let lanes = unsafe table.functions.pointee.lanes
        let panel = unsafe table.functions.pointee.panel
        inputStride = Self.padded(inputs, to: 16)
        let places = Self.place(
            layers, after: 3 * inputStride, lanes: kernels == .blas ? 1 : lanes)
        self.layers = places
        widest = places.reduce(inputStride) { max($0, $1.stride) }
        var buffer = FloatBuffer(count: (places.last.map { $0.bias + $0.stride }) ?? 0)
        var floats = buffer.mutableFloats
        for i in 0..<inputs {
            floats[i] = conditioning.impute[i]
            floats[inputStride + i] = conditioning.mean[i]
            floats[2 * inputStride + i] = conditioning.limit[i]
        }
        for (index, layer) in layers.enumerated() {
            let weights =
                index == 0 ? layer.foldedWeights(conditioning.scale) : layer.weights
            for i in 0..<layer.outputs { floats[places[index].bias + i] = layer.bias[i] }
            Self.pack(
                weights, columns: layer.outputs, lanes: lanes,
                panel: kernels == .blas ? layer.outputs : panel, at: places[index].weights,
                &floats)
        }
        storage = buffer
    }

    /// Where each layer's weights and bias stand, from element `start` on.
    private static func place(_ layers: [Layer], after start: Int, lanes: Int) -> [Placed] {
        var end = start
        return layers.map { layer in
            let stride = padded(layer.outputs, to: 16)
            let bias = end + padded(layer.inputs * padded(layer.outputs, to: lanes), to: 16)
            let place = Placed(
                inputs: layer.inputs, outputs: layer.outputs, stride: stride, weights: end,
                bias: bias, function: layer.function)
            end = bias + stride
            return place
        }
    }

    private static func padded(_ count: Int, to multiple: Int) -> Int {
        (count + multiple - 1) / multiple * multiple
    }

    /// Panels as `cm_layer` describes them; one panel of all columns is plain row-major.
    private static func pack(
        _ weights: [Float], columns: Int, lanes: Int, panel: Int, at start: Int,
        _ packed: inout MutableSpan<Float>
    ) {
        let inputs = weights.count / columns
        for first in stride(from: 0, to: columns, by: panel) {
            let used = min(panel, columns - first)
            let width = panel == columns ? columns : min(panel, padded(used, to: lanes))
            let begin = start + first * inputs
            for k in 0..<inputs {
                for j in 0..<used {
                    packed[begin + k * width + j] = weights[k * columns + first + j]
                }
            }
        }
    }

    /// How many floats of scratch memory `forward` needs.
    package var scratchCount: Int { 2 * Self.tileRows * widest }

    /// Scores `rows` rows of raw features, `stride` floats apart, into `[rows, outputs]`.
    ///
    /// - Complexity: O(rows · weights); allocates nothing.
    package func forward(
        _ features: Span<Float>, rows: Int, stride: Int, into output: inout MutableSpan<Float>,
        scratch: inout FloatBuffer
    ) {
        Shape.check(features.count, rows: rows, columns: inputs, stride: stride)
        Shape.check(output.count, rows: rows, columns: outputs, stride: outputs)
        precondition(scratch.count >= scratchCount, "the workspace belongs to a smaller model")
        let memory = unsafe scratch.base
        // SAFETY: features and output hold the rows as checked; scratch holds two tiles.
        unsafe features.withUnsafeBufferPointer { features in
            unsafe output.withUnsafeMutableBufferPointer { output in
                guard let x = features.baseAddress, let y = output.baseAddress else {
                    return
                }
                var row = 0
                while row < rows {
                    let count = min(Self.tileRows, rows - row)
                    unsafe forwardTile(
                        x + row * stride, stride: stride, rows: count, into: y + row * outputs,
                        memory)
                    row += count
                }
            }
        }
    }

    private func forwardTile(
        _ x: UnsafePointer<Float>, stride: Int, rows: Int, into y: UnsafeMutablePointer<Float>,
        _ scratch: UnsafeMutablePointer<Float>
    ) {
        let base = unsafe storage.base
        var source = unsafe scratch
        var target = unsafe scratch + Self.tileRows * widest
        var sourceStride = inputStride
        var stage = unsafe cm_conditioning(
            impute: base, mean: base + inputStride, limit: base + 2 * inputStride, scale: nil,
            width: inputs)
        unsafe table.functions.pointee.condition(&stage, x, stride, rows, source, sourceStride)
        for index in layers.indices {
            let layer = layers[index]
            if kernels == .blas {
                unsafe multiplyTile(layer, source, sourceStride, rows: rows, into: target)
            } else {
                var operand = unsafe cm_layer(
                    weights: base + layer.weights, bias: base + layer.bias, inputs: layer.inputs,
                    outputs: layer.outputs, activation: layer.function.rawValue)
                unsafe table.functions.pointee.dense(
                    &operand, source, sourceStride, rows, target, layer.stride)
            }
            unsafe swap(&source, &target)
            sourceStride = layer.stride
        }
        if normalised {
            unsafe table.functions.pointee.softmax(source, sourceStride, rows, outputs)
        }
        for row in 0..<rows {
            unsafe (y + row * outputs).update(from: source + row * sourceStride, count: outputs)
        }
    }

    /// One layer by OpenBLAS, whose order of summation depends on the number of rows: the tile is
    /// always full, with zeros in rows that are not there.
    private func multiplyTile(
        _ layer: Placed, _ source: UnsafeMutablePointer<Float>, _ sourceStride: Int, rows: Int,
        into target: UnsafeMutablePointer<Float>
    ) {
        let base = unsafe storage.base
        if rows < Self.tileRows {
            unsafe (source + rows * sourceStride).update(
                repeating: 0, count: (Self.tileRows - rows) * sourceStride)
        }
        unsafe cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(Self.tileRows), Int32(layer.outputs),
            Int32(layer.inputs), 1, source, Int32(sourceStride), base + layer.weights,
            Int32(layer.outputs), 0, target, Int32(layer.stride))
        unsafe table.functions.pointee.activate(
            layer.function.rawValue, base + layer.bias, rows, layer.outputs, target, layer.stride,
            target, layer.stride)
    }
}
