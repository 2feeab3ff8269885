internal import CMillraceKernels

/// Where the numbers of a network stand in its memory, in the form that the kernels read.
struct Packing {
    /// How a layer's weights stand.
    enum Form {
        /// As `cm_layer` describes it for the kernels of a set.
        case panels
        /// `[inputs, outputs]`, for a foreign product.
        case foreign
        /// As `cm_tile_set` describes it.
        case tiles
        /// As `cm_narrow_set` describes pairs.
        case pairs
        /// As `cm_narrow_set` describes bytes.
        case bytes

        /// How many inputs share the place of a float; 1 but for narrow forms.
        var word: Int {
            switch self {
            case .pairs: 2
            case .bytes: 4
            case .panels, .foreign, .tiles: 1
            }
        }
    }

    /// A layer's place in the memory, in floats.
    struct Place {
        var weights: Int
        var bias: Int
        /// From row to row of its outputs in a tile.
        var stride: Int
        /// How many floats its packed weights take.
        var size: Int
        /// Of bytes: what `cm_byte_layer` has, array by array, each of `stride` elements.
        var bytes: Int
    }

    /// The places of everything, and the tile that fits.
    struct Plan {
        var inputStride: Int
        var layers: [Place]
        var count: Int
        var tileRows: Int
        var scratchStride: Int
    }

    private let table: KernelTable
    private let form: Form
    private var isForeign: Bool { form == .foreign }
    private var lanes: Int { unsafe table.functions.pointee.lanes }
    private var panel: Int { unsafe table.functions.pointee.panel }
    private var tileBytes: Int { unsafe table.functions.pointee.tile_bytes }

    /// For the kernels of `table`.
    init(_ table: KernelTable, form: Form) {
        self.table = table
        self.form = form
    }

    static func padded(_ count: Int, to multiple: Int) -> Int {
        (count + multiple - 1) / multiple * multiple
    }

    /// How many arrays the memory begins with: of bytes, those of the features' bytes too.
    private var inputArrays: Int { form == .bytes ? 6 : 4 }

    /// A plan for memory that begins with the arrays of the conditioning.
    func plan(_ conditioning: Conditioning, _ layers: [PackedNetwork.Layer]) -> Plan {
        let inputStride = Self.padded(conditioning.width, to: 16)
        var end = inputArrays * inputStride
        var widest = max(inputStride, activations(conditioning.width))
        let places = layers.map { layer in
            let size = packedSize(layer)
            let stride = Self.padded(layer.outputs, to: 16)
            let bias = end + Self.padded(size, to: 16)
            let place = Place(
                weights: end, bias: bias, stride: stride, size: size, bytes: bias + stride)
            end = bias + (form == .bytes ? 5 : 1) * stride
            widest = max(widest, activations(layer.outputs))
            return place
        }
        // Two layers of activations within the caches, in whole register blocks.
        let fitting = tileBytes / (2 * widest * MemoryLayout<Float>.stride)
        let tileRows =
            switch form {
            case .panels, .pairs, .bytes: min(Int(CM_TILE_ROWS_MAX), max(24, fitting)) / 6 * 6
            case .foreign: ForeignTile.rows(for: layers)
            // Pairs of registers.
            case .tiles: min(Int(CM_TILE_ROWS_MAX), max(32, fitting)) / 32 * 32
            }
        // While rows are taken in, a raw row and its selection stand where activations will.
        let rawRow = conditioning.width + conditioning.rowWidth
        let scratchStride = max(widest, Self.padded((rawRow + tileRows - 1) / tileRows, to: 16))
        return Plan(
            inputStride: inputStride, layers: places, count: end, tileRows: tileRows,
            scratchStride: scratchStride)
    }

    /// How many floats a row of so many activations takes in a tile.
    private func activations(_ count: Int) -> Int {
        form == .tiles
            ? Self.padded(count, to: Int(CM_TILE_INPUTS)) / 2
            : Self.padded(count, to: 16) / form.word
    }

    private func packedSize(_ layer: PackedNetwork.Layer) -> Int {
        switch form {
        case .foreign: layer.inputs * layer.outputs
        case .tiles:
            Self.padded(layer.inputs, to: Int(CM_TILE_INPUTS))
                * Self.padded(layer.outputs, to: Int(CM_TILE_OUTPUTS)) / 2
        case .pairs, .bytes:
            Self.padded(layer.inputs, to: form.word) / form.word
                * Self.padded(layer.outputs, to: 16)
        case .panels:
            singles(of: layer.inputs, columns(layer.outputs))
                + columns(layer.outputs).single * Self.padded(layer.inputs, to: lanes)
        }
    }

    /// How the set divides the columns of a layer.
    private func columns(_ outputs: Int) -> cm_columns {
        unsafe table.functions.pointee.columns(outputs)
    }

    /// Where a layer's single columns begin.
    private func singles(of inputs: Int, _ columns: cm_columns) -> Int {
        let half = columns.half > 0 ? Int(CM_HALF_LANES) : 0
        return inputs * (Self.padded(columns.paneled, to: lanes) + half)
    }

    /// The memory as planned; with `folds`, the scales are in the first layer's weights, or of bytes
    /// in what features are rounded from, where `ranges` are those of each layer's inputs.
    func pack(
        _ conditioning: Conditioning, _ layers: [PackedNetwork.Layer], _ plan: Plan, folds: Bool,
        ranges: [LayerRange]
    ) -> FloatBuffer {
        var buffer = FloatBuffer(count: plan.count)
        var floats = buffer.mutableFloats
        for i in 0..<conditioning.width {
            floats[i] = conditioning.impute[i]
            floats[plan.inputStride + i] = conditioning.mean[i]
            floats[2 * plan.inputStride + i] = conditioning.limit[i]
            floats[3 * plan.inputStride + i] = conditioning.scale[i]
        }
        if form == .bytes {
            let scale = folds ? conditioning.scale : nil
            packFeatureBytes(ranges[0], scale, plan.inputStride, &floats)
        }
        for (index, layer) in layers.enumerated() {
            let place = plan.layers[index]
            if form == .bytes {
                let next = index + 1 < layers.count ? ranges[index + 1] : nil
                packBytes(ByteWeights(layer, ranges[index], next: next), layer, place, &floats)
                continue
            }
            let weights =
                index == 0 && folds ? layer.foldedWeights(conditioning.scale) : layer.weights
            for i in 0..<layer.outputs { floats[place.bias + i] = layer.bias[i] }
            if form == .tiles {
                packTiles(weights, columns: layer.outputs, at: place.weights, &floats)
            } else if form == .pairs {
                packPairs(weights, columns: layer.outputs, at: place.weights, &floats)
            } else if isForeign {
                for i in weights.indices { floats[place.weights + i] = weights[i] }
            } else {
                packColumns(weights, outputs: layer.outputs, at: place.weights, &floats)
            }
        }
        return buffer
    }

    /// Columns as `cm_layer` describes them.
    private func packColumns(
        _ weights: [Float], outputs: Int, at start: Int, _ packed: inout MutableSpan<Float>
    ) {
        let inputs = weights.count / outputs
        let columns = columns(outputs)
        for first in stride(from: 0, to: columns.paneled, by: panel) {
            let used = min(panel, columns.paneled - first)
            packPanel(
                weights, outputs: outputs, first..<first + used,
                width: Self.padded(used, to: lanes), at: start + first * inputs, &packed)
        }
        let half = columns.paneled..<columns.paneled + columns.half
        packPanel(
            weights, outputs: outputs, half, width: Int(CM_HALF_LANES),
            at: start + half.lowerBound * inputs, &packed)
        let size = Self.padded(inputs, to: lanes)
        var begin = start + singles(of: inputs, columns)
        for column in half.upperBound..<outputs {
            for k in 0..<inputs { packed[begin + k] = weights[k * outputs + column] }
            begin += size
        }
    }

    /// Some columns side by side, input by input.
    private func packPanel(
        _ weights: [Float], outputs: Int, _ columns: Range<Int>, width: Int, at start: Int,
        _ packed: inout MutableSpan<Float>
    ) {
        for k in 0..<weights.count / outputs {
            for (j, column) in columns.enumerated() {
                packed[start + k * width + j] = weights[k * outputs + column]
            }
        }
    }

    /// Tiles as `cm_tile_set` describes them; what has no weight stays zero.
    private func packTiles(
        _ weights: [Float], columns: Int, at start: Int, _ packed: inout MutableSpan<Float>
    ) {
        let (wide, high) = (Int(CM_TILE_OUTPUTS), Int(CM_TILE_INPUTS))
        let inputs = weights.count / columns
        let steps = Self.padded(inputs, to: high) / high
        for column in 0..<columns {
            for k in stride(from: 0, to: inputs, by: 2) {
                let even = cm_to_bfloat16(weights[k * columns + column])
                let odd = k + 1 < inputs ? cm_to_bfloat16(weights[(k + 1) * columns + column]) : 0
                let tile = column / wide * steps + k / high
                // Two neighbours have the place of one float.
                packed[start + (tile * high + k % high) / 2 * wide + column % wide] = Float(
                    bitPattern: UInt32(odd) << 16 | UInt32(even))
            }
        }
    }
}
