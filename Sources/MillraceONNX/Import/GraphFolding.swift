internal import MillraceModels

/// Folds a graph's nodes, in their order, into one network.
struct GraphFolding {
    var values: [String: GraphValue] = [:]
    /// The classes, once a node has named them.
    var labels: [String] = []

    /// Folds one node; what it gives is known afterwards.
    mutating func fold(_ node: GraphNode) throws(ONNXError) {
        let results =
            switch node.kind {
            case "LinearClassifier": try linearClassifier(node)
            case "ZipMap": try zipMap(node)
            default: [try result(of: node)]
            }
        guard node.outputs.count <= results.count else {
            throw node.unsupported("\(node.outputs.count) outputs; \(results.count) are known")
        }
        for (name, result) in zip(node.outputs, results) where !name.isEmpty {
            try define(name, result)
        }
    }

    /// What a node with one output gives.
    private func result(of node: GraphNode) throws(ONNXError) -> GraphValue {
        switch node.kind {
        case "Identity": return try value(node, 0)
        case "Constant": return .constant(try constant(of: node))
        case "Gemm": return try gemm(node)
        case "MatMul": return try product(node)
        case "Add", "Sub", "Mul", "Div": return try arithmetic(node)
        case "Min", "Max": return try bound(node)
        case "Clip": return try clip(node)
        case "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Gelu": return try activation(node)
        case "Softmax": return try softmax(node)
        case "Exp", "Reciprocal", "ReduceSum", "Not": return try oneVsRestStep(node)
        case "Cast": return try cast(node)
        case "Reshape", "Flatten": return try reshape(node)
        case "Concat": return try concatenate(node)
        case "Slice": return try slice(node)
        case "ArrayFeatureExtractor": return try extract(node)
        case "ArgMax": return try largest(node)
        case "Scaler": return try scaler(node)
        case "Imputer": return try imputer(node)
        case "Normalizer", "LpNormalization": return try normalise(node)
        case "LinearRegressor": return try linearRegressor(node)
        default:
            throw node.unsupported(
                "no part of an input stage, a linear model or MLP, or a head; export a model "
                    + "without it")
        }
    }

    /// Gives a value its name.
    mutating func define(_ name: String, _ value: GraphValue) throws(ONNXError) {
        guard values.updateValue(value, forKey: name) == nil else {
            throw ONNXError(.malformedFile, "the value '\(name)' is made twice")
        }
    }

    /// The input of a node.
    func value(_ node: GraphNode, _ index: Int) throws(ONNXError) -> GraphValue {
        guard index < node.inputs.count else {
            throw node.malformed("there is no input number \(index)")
        }
        guard let value = values[node.inputs[index]] else {
            throw node.malformed(
                "nothing before it makes its input '\(node.inputs[index])': a weight is missing, or "
                    + "the nodes go round in a circle")
        }
        return value
    }

    /// The network at a node's input.
    func network(_ node: GraphNode, _ index: Int = 0) throws(ONNXError) -> NetworkDraft {
        let value = try value(node, index)
        guard case .network(let draft) = value else {
            throw node.unsupported("applied to \(value.summary), which no model does")
        }
        return draft
    }

    /// The finite numbers at a node's input.
    func tensor(_ node: GraphNode, _ index: Int) throws(ONNXError) -> GraphTensor {
        let value = try value(node, index)
        guard case .constant(let tensor) = value else {
            throw node.unsupported(
                "input number \(index) is \(value.summary), where weights of the file are needed")
        }
        guard tensor.values.allSatisfy(\.isFinite) else {
            throw ONNXError(
                .invalidTensor, "'\(node.inputs[index])' has a number that is not finite",
                node: node)
        }
        return tensor
    }

    /// A tensor's numbers, one for each of `width` columns.
    func columns(
        _ tensor: GraphTensor, _ width: Int, _ node: GraphNode
    ) throws(ONNXError) -> [Double] {
        if tensor.values.count == 1 { return [Double](repeating: tensor.values[0], count: width) }
        guard tensor.values.count == width, tensor.shape.last == width else {
            throw node.unsupported(
                "weights of shape \(tensor.shape) for rows of \(width); one number, or one for each "
                    + "column is needed")
        }
        return tensor.values
    }

    /// Learns the classes, or that they are as they were.
    mutating func take(labels found: [String], _ place: String) throws(ONNXError) {
        guard !found.isEmpty else { return }
        guard labels.isEmpty || labels == found else {
            throw ONNXError(
                .unsupportedGraph,
                "'\(place)' has the classes \(found.prefix(8)), where others have "
                    + "\(labels.prefix(8))")
        }
        labels = found
    }

    private func constant(of node: GraphNode) throws(ONNXError) -> GraphTensor {
        if let tensor = try node.tensor("value") { return tensor }
        if let float = node.optionalFloat("value_float") {
            return GraphTensor(shape: [], values: [float])
        }
        if let floats = try node.floats("value_floats") {
            return GraphTensor(shape: [floats.count], values: floats)
        }
        let ints = node.ints("value_ints").map(Double.init)
        if !ints.isEmpty { return GraphTensor(shape: [ints.count], values: ints) }
        throw node.unsupported("a constant that is no tensor of numbers")
    }
}
