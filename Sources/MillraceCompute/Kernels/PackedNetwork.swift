internal import CMillraceKernels

/// Layers packed for one kernel set, and what stands before and after them.
///
/// Rows go through all layers in tiles, so that activations stay in the nearest caches.
/// **Thread-safety**: constant after `init`; any number of threads, each with its own scratch.
@safe package struct PackedNetwork: ~Copyable, @unchecked Sendable {
    // Sendable: the memory is written by `init` alone, and freed by the one owner.

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

    package let kernels: KernelSet
    /// What computes layers in a reduced precision; nil for float32.
    package let reduced: ReducedKernels?
    /// Columns of the source's rows.
    package let rowWidth: Int
    package let outputs: Int
    /// How many floats of scratch memory `forward` needs.
    package let scratchCount: Int
    private let predict: NetworkFunction
    private let storage: FloatBuffer
    private let layers: UnsafeMutablePointer<cm_layer>
    private let bytes: UnsafeMutablePointer<cm_byte_layer>?
    private let select: UnsafeMutablePointer<UInt32>?
    private let description: UnsafeMutablePointer<cm_network>

    /// Packs the layers; `conditioning.scale` goes into the first one's weights, in double, unless
    /// rows are divided by a norm after it.
    ///
    /// With `reduced`, layers are in its precision; bytes need the `ranges` of each layer's inputs.
    package init(
        conditioning: Conditioning, layers: [Layer], head: NetworkHead, kernels: KernelSet,
        reduced: ReducedKernels? = nil, ranges: [LayerRange] = []
    ) {
        guard let first = layers.first, let last = layers.last else {
            preconditionFailure("a network needs a layer")
        }
        precondition(first.inputs == conditioning.width, "the first layer takes every feature")
        let isForeign = kernels == .blas && reduced == nil
        if isForeign { OpenBLAS.prepare() }
        self.kernels = kernels
        self.reduced = reduced
        rowWidth = conditioning.rowWidth
        outputs = last.outputs
        let table = KernelTable(kernels)
        unsafe predict = reduced?.predict ?? table.functions.pointee.predict
        let packing = Packing(table, form: reduced?.form ?? (isForeign ? .foreign : .panels))
        let isBytes = reduced?.form == .bytes
        precondition(
            !isBytes || Self.fit(ranges, layers), "bytes need the range of each layer's inputs")
        let plan = packing.plan(conditioning, layers)
        let folds = conditioning.norm == .none
        storage = packing.pack(conditioning, layers, plan, folds: folds, ranges: ranges)
        scratchCount = 2 * plan.tileRows * plan.scratchStride
        let base = unsafe storage.base
        unsafe self.layers = Self.describe(layers, plan, base)
        unsafe bytes = isBytes ? Self.describeBytes(layers, plan, base) : nil
        unsafe select = conditioning.select.map { columns in
            let memory = UnsafeMutablePointer<UInt32>.allocate(capacity: columns.count)
            for (i, column) in columns.enumerated() {
                unsafe (memory + i).initialize(to: UInt32(column))
            }
            return unsafe memory
        }
        unsafe description = .allocate(capacity: 1)
        let width = plan.inputStride
        let stage = unsafe cm_conditioning(
            impute: base, mean: base + width, limit: base + 2 * width,
            scale: folds ? nil : base + 3 * width, width: conditioning.width,
            missing: conditioning.missing.rawValue)
        unsafe description.initialize(
            to: cm_network(
                input: stage, select: select, row_width: conditioning.rowWidth,
                input_stride: width, plain: conditioning.isPlain ? 1 : 0,
                norm: conditioning.norm.rawValue, layers: self.layers,
                layer_count: layers.count, outputs: outputs, head: head.rawValue,
                tile_rows: plan.tileRows, scratch_stride: plan.scratchStride, bytes: bytes,
                byte_scale: isBytes ? base + 4 * width : nil,
                byte_zero: isBytes ? base + 5 * width : nil,
                widen: cm_widen_best().pointee.widen,
                multiply: isForeign ? multiplyWithOpenBLAS : nil))
    }

    /// Whether the layers can be in bytes, each with its range.
    package static func fit(_ ranges: [LayerRange], _ layers: [Layer]) -> Bool {
        ranges.count == layers.count
            && layers.indices.allSatisfy { i in
                layers[i].inputs <= Int(CM_BYTE_INPUTS_MAX)
                    && ranges[i].isSound(
                        inputs: layers[i].inputs,
                        isPositive: i > 0 && layers[i - 1].function == .relu)
            }
    }

    private static func describe(
        _ layers: [Layer], _ plan: Packing.Plan, _ base: UnsafeMutablePointer<Float>
    ) -> UnsafeMutablePointer<cm_layer> {
        let memory = UnsafeMutablePointer<cm_layer>.allocate(capacity: layers.count)
        for (i, place) in plan.layers.enumerated() {
            // SAFETY: as many layers were allocated; the places are within the storage.
            unsafe (memory + i).initialize(
                to: cm_layer(
                    weights: base + place.weights, bias: base + place.bias,
                    inputs: layers[i].inputs, outputs: layers[i].outputs, stride: place.stride,
                    activation: layers[i].function.rawValue))
        }
        return unsafe memory
    }

    private static func describeBytes(
        _ layers: [Layer], _ plan: Packing.Plan, _ base: UnsafeMutablePointer<Float>
    ) -> UnsafeMutablePointer<cm_byte_layer> {
        let memory = UnsafeMutablePointer<cm_byte_layer>.allocate(capacity: layers.count)
        for (i, place) in plan.layers.enumerated() {
            let isLast = i + 1 == layers.count
            let isSimple = layers[i].function == .relu || layers[i].function == .identity
            // SAFETY: as many layers were allocated; the places are within the storage, and integers
            // are as large as the floats in whose places they stand.
            let start = unsafe UnsafeRawPointer(base + place.bytes)
            unsafe (memory + i).initialize(
                to: cm_byte_layer(
                    start: start.assumingMemoryBound(to: Int32.self),
                    scale: base + place.bytes + place.stride,
                    next_scale: isLast || isSimple ? nil : base + place.bytes + 2 * place.stride,
                    next_zero: isLast || isSimple ? nil : base + place.bytes + 3 * place.stride))
        }
        return unsafe memory
    }

    deinit {
        unsafe layers.deallocate()
        unsafe bytes?.deallocate()
        unsafe select?.deallocate()
        unsafe description.deallocate()
    }

    /// Scores the rows of `source` into `[rows, outputs]`, without gaps.
    ///
    /// - Complexity: O(rows · weights). Own kernels allocate nothing, lock nothing and make no
    ///   system call; OpenBLAS takes a lock.
    package func forward(
        _ source: borrowing FeatureMatrix, into output: inout MutableSpan<Float>,
        scratch: inout FloatBuffer
    ) -> PredictionCounts {
        Shape.check(
            source.bytes.byteCount, rows: source.rows,
            columns: rowWidth * source.element.byteCount, stride: source.stride)
        Shape.check(output.count, rows: source.rows, columns: outputs, stride: outputs)
        precondition(scratch.count >= scratchCount, "the workspace belongs to a smaller model")
        let memory = unsafe scratch.base
        var counts = cm_counts()
        // SAFETY: source and output hold the rows as checked; scratch holds two tiles.
        unsafe source.bytes.withUnsafeBytes { cells in
            unsafe output.withUnsafeMutableBufferPointer { output in
                guard let y = output.baseAddress, let x = cells.baseAddress else { return }
                precondition(
                    UInt(bitPattern: x) % UInt(source.element.byteCount) == 0,
                    "elements are aligned to their size")
                var matrix = unsafe cm_matrix(
                    cells: x, rows: source.rows, stride: source.stride,
                    type: source.element.code, scale: source.element.scale,
                    zero_point: source.element.zeroPoint)
                unsafe predict(description, &matrix, y, memory, &counts)
            }
        }
        return PredictionCounts(
            missing: Int(counts.missing), rejected: Int(counts.rejected),
            notFinite: Int(counts.not_finite))
    }
}

/// What was found in the rows of a batch while it was scored.
public struct PredictionCounts: Sendable, Equatable {
    /// Missing features in whose place another value stood.
    public var missing: Int
    /// Rows without outputs, which are NaN, because a feature was missing or infinite.
    public var rejected: Int
    /// Other rows with an output that is infinite or NaN.
    public var notFinite: Int

    /// Counts from their numbers.
    public init(missing: Int = 0, rejected: Int = 0, notFinite: Int = 0) {
        self.missing = missing
        self.rejected = rejected
        self.notFinite = notFinite
    }
}

extension MatrixElement {
    /// The number of the type in the C kernels.
    fileprivate var code: Int32 {
        switch self {
        case .float32: Int32(CM_FLOAT32)
        case .float16: Int32(CM_FLOAT16)
        case .bfloat16: Int32(CM_BFLOAT16)
        case .uint8: Int32(CM_UINT8)
        case .int8: Int32(CM_INT8)
        }
    }

    fileprivate var scale: Float {
        switch self {
        case .uint8(let scale, _), .int8(let scale, _): scale
        default: 1
        }
    }

    fileprivate var zeroPoint: Int32 {
        switch self {
        case .uint8(_, let zero), .int8(_, let zero): zero
        default: 0
        }
    }
}
