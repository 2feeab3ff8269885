internal import MillraceModels

/// A model while it is being read: the same parts, in double, and with what an input stage cannot
/// hold yet kept apart until the first layer takes it.
struct NetworkDraft: Equatable {
    /// How wide rows, layers and products of layers may become.
    static let maxWidth = 1 << 20
    static let maxWeights = 1 << 28

    /// `clamp(x - mean, -limit, limit) * scale + shift`, of one number of a row.
    struct Feature: Equatable {
        var column: Int
        var impute: Double?
        var mean = 0.0
        var limit = Double.infinity
        var scale = 1.0
        var shift = 0.0

        /// Multiplies and adds to what the feature is.
        mutating func apply(scale factor: Double, shift added: Double) {
            scale *= factor
            shift = shift * factor + added
            // Without bounds the shift is a mean, which is subtracted before digits can cancel.
            guard limit == .infinity, scale != 0, (shift / scale).isFinite else { return }
            mean -= shift / scale
            shift = 0
        }
    }

    /// A layer; weights are `[inputs, outputs]`.
    struct Layer: Equatable {
        var inputs: Int
        var outputs: Int
        var weights: [Double]
        var bias: [Double]
    }

    /// What the outputs are at present.
    enum Tail: Equatable {
        case input
        case sums
        case activated(Activation)
        case softmax
        case shares

        var summary: String {
            switch self {
            case .input: "the input"
            case .sums: "a layer's sums"
            case .activated(let function): "what \(function.rawValue) gives"
            case .softmax, .shares: "probabilities"
            }
        }
    }

    var rowWidth: Int
    var features: [Feature]
    var normalisation = RowNormalisation.none
    var layers: [Layer] = []
    var hidden: Activation?
    var tail = Tail.input

    /// The columns of an input.
    init(columns: Range<Int>, rowWidth: Int) {
        self.rowWidth = rowWidth
        features = columns.map { Feature(column: $0) }
    }

    /// How many numbers a row of outputs has.
    var width: Int { layers.last?.outputs ?? features.count }

    /// `x * scale + shift` for every output.
    mutating func apply(
        scale: [Double], shift: [Double], _ node: GraphNode
    ) throws(ONNXError) {
        switch tail {
        case .input where normalisation == .none:
            for i in features.indices { features[i].apply(scale: scale[i], shift: shift[i]) }
        case .sums:
            let last = layers.count - 1
            let outputs = layers[last].outputs
            for i in layers[last].weights.indices { layers[last].weights[i] *= scale[i % outputs] }
            for j in 0..<outputs {
                layers[last].bias[j] = layers[last].bias[j] * scale[j] + shift[j]
            }
        default:
            throw node.unsupported(
                "arithmetic on \(normalisation == .none ? tail.summary : "normalised rows"); it can "
                    + "be folded only into the input and into a layer's sums")
        }
    }

    /// Appends a layer, or multiplies it into the one before when no activation stands between.
    mutating func append(_ layer: Layer, _ node: GraphNode) throws(ONNXError) {
        guard layer.inputs == width else {
            throw node.malformed("\(layer.inputs) inputs are multiplied, where \(width) come in")
        }
        switch tail {
        case .input: layers.append(layer)
        case .sums: try compose(layer, node)
        case .activated(let function):
            guard hidden == nil || hidden == function else {
                throw node.unsupported(
                    "hidden layers with \(hidden?.rawValue ?? "") and with \(function.rawValue); "
                        + "a model has one activation for all of them")
            }
            hidden = function
            layers.append(layer)
        case .softmax, .shares:
            throw node.unsupported("a layer behind probabilities; they must be a model's last step")
        }
        tail = .sums
    }

    private mutating func compose(_ next: Layer, _ node: GraphNode) throws(ONNXError) {
        let last = layers.removeLast()
        guard last.inputs * last.outputs <= Self.maxWeights / max(1, next.outputs) else {
            throw node.unsupported(
                "two layers of \(last.inputs)x\(last.outputs) and \(next.inputs)x\(next.outputs) "
                    + "without an activation between them; multiply them before the export")
        }
        var product = Layer(
            inputs: last.inputs, outputs: next.outputs,
            weights: [Double](repeating: 0, count: last.inputs * next.outputs), bias: next.bias)
        for k in 0..<last.outputs {
            for j in 0..<next.outputs {
                let weight = next.weights[k * next.outputs + j]
                product.bias[j] += last.bias[k] * weight
                for i in 0..<last.inputs {
                    product.weights[i * next.outputs + j] +=
                        last.weights[i * last.outputs + k] * weight
                }
            }
        }
        layers.append(product)
    }

    /// Puts the outputs of `other` behind these; false when they are no parts of one network.
    mutating func join(_ other: NetworkDraft) -> Bool {
        guard tail == other.tail, rowWidth == other.rowWidth,
            normalisation == other.normalisation, hidden == other.hidden,
            width + other.width <= Self.maxWidth
        else { return false }
        if tail == .input {
            guard normalisation == .none else { return false }
            features += other.features
            return true
        }
        guard features == other.features, let a = layers.last, let b = other.layers.last,
            layers.dropLast() == other.layers.dropLast(), tail != .softmax, tail != .shares,
            a.inputs * (a.outputs + b.outputs) <= Self.maxWeights
        else { return false }
        let outputs = a.outputs + b.outputs
        var weights: [Double] = []
        weights.reserveCapacity(a.inputs * outputs)
        for i in 0..<a.inputs {
            weights += a.weights[i * a.outputs..<(i + 1) * a.outputs]
            weights += b.weights[i * b.outputs..<(i + 1) * b.outputs]
        }
        layers[layers.count - 1] = Layer(
            inputs: a.inputs, outputs: outputs, weights: weights, bias: a.bias + b.bias)
        return true
    }
}
