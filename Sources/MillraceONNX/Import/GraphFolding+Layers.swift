internal import MillraceModels

extension GraphFolding {
    func gemm(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        guard node.int("transA", 0) == 0 else {
            throw node.unsupported("transA, which exchanges rows and features")
        }
        let weights = try matrix(try tensor(node, 1), node, transposed: node.int("transB", 0) != 0)
        let (alpha, beta) = (node.float("alpha", 1), node.float("beta", 1))
        var bias = [Double](repeating: 0, count: weights.columns)
        if node.inputs.count > 2, !node.inputs[2].isEmpty {
            bias = try columns(try tensor(node, 2), weights.columns, node).map { $0 * beta }
        }
        var draft = try network(node)
        try draft.append(
            NetworkDraft.Layer(
                inputs: weights.rows, outputs: weights.columns,
                weights: weights.elements.map { $0 * alpha }, bias: bias), node)
        return .network(draft)
    }

    func product(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        let weights = try matrix(try tensor(node, 1), node, transposed: false)
        var draft = try network(node)
        try draft.append(
            NetworkDraft.Layer(
                inputs: weights.rows, outputs: weights.columns, weights: weights.elements,
                bias: [Double](repeating: 0, count: weights.columns)), node)
        return .network(draft)
    }

    func activation(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        var draft = try network(node)
        guard draft.tail == .sums else {
            throw node.unsupported("applied to \(draft.tail.summary); it must follow a layer")
        }
        let function: Activation =
            switch node.kind {
            case "Relu": .relu
            case "LeakyRelu": .leakyReLU
            case "Sigmoid": .sigmoid
            case "Tanh": .tanh
            default: .gelu
            }
        if function == .leakyReLU {
            let slope = node.float("alpha", 0.01)
            guard abs(slope - 0.01) < 1e-7 else {
                throw node.unsupported("a slope of \(Float(slope)); models have 0.01")
            }
        }
        if function == .gelu, node.text("approximate", "none") != "none" {
            throw node.unsupported("the tanh approximation; models have the exact function")
        }
        draft.tail = .activated(function)
        return .network(draft)
    }

    func softmax(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        var draft = try network(node)
        guard draft.tail == .sums, [-1, 1].contains(node.int("axis", -1)) else {
            throw node.unsupported("it must be over the columns of the last layer's sums")
        }
        draft.tail = .softmax
        return .network(draft)
    }

    func linearRegressor(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        guard node.text("post_transform", "NONE") == "NONE" else {
            throw node.unsupported(
                "post_transform \(node.text("post_transform", "")); only NONE is known")
        }
        return .network(try linear(node, outputs: Int(clamping: node.int("targets", 1))))
    }

    /// The classes, and probabilities or sums.
    func linearClassifier(_ node: GraphNode) throws(ONNXError) -> [GraphValue] {
        let classes = node.classes("classlabels_strings", "classlabels_ints")
        let outputs = try node.floats("intercepts")?.count ?? max(1, classes.count)
        var draft = try linear(node, outputs: outputs)
        let isBinary = classes.count == 2
        let transform = node.text("post_transform", "NONE")
        if isBinary, outputs == 2, transform != "SOFTMAX" {
            try draft.keepSecondOfTwoOpposites(node)
        }
        guard draft.width == (isBinary && transform != "SOFTMAX" ? 1 : classes.count) else {
            throw node.unsupported("\(draft.width) outputs for \(classes.count) classes")
        }
        switch transform {
        case "NONE": break
        case "LOGISTIC": draft.tail = .activated(.sigmoid)
        case "SOFTMAX": draft.tail = .softmax
        default: throw node.unsupported("post_transform \(transform)")
        }
        return [
            .classes(draft, classes), draft.width == 1 ? .bothClasses(draft) : .network(draft),
        ]
    }

    private func linear(_ node: GraphNode, outputs: Int) throws(ONNXError) -> NetworkDraft {
        var draft = try network(node)
        guard let coefficients = try node.floats("coefficients"), outputs > 0,
            coefficients.count / outputs == draft.width, coefficients.count % outputs == 0
        else {
            throw node.malformed(
                "its coefficients are not \(outputs) for each of \(draft.width) features")
        }
        let bias = try node.floats("intercepts") ?? [Double](repeating: 0, count: outputs)
        guard bias.count == outputs else {
            throw node.malformed("\(bias.count) intercepts for \(outputs) outputs")
        }
        let inputs = draft.width
        let weights = (0..<coefficients.count).map {
            coefficients[$0 % outputs * inputs + $0 / outputs]
        }
        try draft.append(
            NetworkDraft.Layer(inputs: inputs, outputs: outputs, weights: weights, bias: bias), node
        )
        return draft
    }

    private func matrix(
        _ tensor: GraphTensor, _ node: GraphNode, transposed: Bool
    ) throws(ONNXError) -> (rows: Int, columns: Int, elements: [Double]) {
        guard tensor.shape.count == 2, !tensor.values.isEmpty else {
            throw node.unsupported("weights of shape \(tensor.shape); a matrix is needed")
        }
        let (rows, columns) = (tensor.shape[0], tensor.shape[1])
        guard transposed else { return (rows, columns, tensor.values) }
        let elements = (0..<rows * columns).map { tensor.values[$0 % rows * columns + $0 / rows] }
        return (columns, rows, elements)
    }
}

extension NetworkDraft {
    /// Of a binary classifier's two sums, which are each other's opposites, the second.
    mutating func keepSecondOfTwoOpposites(_ node: GraphNode) throws(ONNXError) {
        guard let layer = layers.last, layer.outputs == 2,
            (0..<layer.inputs).allSatisfy({ layer.weights[2 * $0] == -layer.weights[2 * $0 + 1] }),
            layer.bias[0] == -layer.bias[1]
        else {
            throw node.unsupported("two classes whose sums are not each other's opposites")
        }
        layers[layers.count - 1] = Layer(
            inputs: layer.inputs, outputs: 1,
            weights: (0..<layer.inputs).map { layer.weights[2 * $0 + 1] }, bias: [layer.bias[1]])
    }
}
