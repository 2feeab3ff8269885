internal import MillraceModels

extension GraphFolding {
    /// Add, Sub, Mul and Div, where one side is a constant, or of a one-vs-rest classifier.
    func arithmetic(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        let (left, right) = (try value(node, 0), try value(node, 1))
        if let known = oneVsRest(node.kind, left, right) { return known }
        if case .constant = left {
            guard node.kind != "Div" else {
                throw node.unsupported("a constant divided by \(right.summary)")
            }
            return try scaled(node, right, by: try tensor(node, 0), isLeft: true)
        }
        return try scaled(node, left, by: try tensor(node, 1), isLeft: false)
    }

    private func scaled(
        _ node: GraphNode, _ value: GraphValue, by tensor: GraphTensor, isLeft: Bool
    ) throws(ONNXError) -> GraphValue {
        let isOne = tensor.values == [1]
        switch (node.kind, value) {
        case ("Add", .exponential(let draft)) where isOne: return .onePlusExponential(draft)
        case ("Mul", .totalIsZero(let draft)): return .totalIsZero(draft)
        case ("Sub", .network(let draft))
        where isLeft && isOne && draft.tail == .activated(.sigmoid):
            return .complement(draft)
        case (_, .network(var draft)):
            let width = draft.width
            let numbers = try columns(tensor, width, node)
            let ones = [Double](repeating: 1, count: width)
            let zeros = [Double](repeating: 0, count: width)
            switch node.kind {
            case "Add": try draft.apply(scale: ones, shift: numbers, node)
            case "Sub" where isLeft:
                try draft.apply(scale: ones.map { -$0 }, shift: numbers, node)
            case "Sub": try draft.apply(scale: ones, shift: numbers.map { -$0 }, node)
            case "Mul": try draft.apply(scale: numbers, shift: zeros, node)
            default:
                guard !numbers.contains(0) else { throw node.unsupported("a division by 0") }
                try draft.apply(scale: numbers.map { 1 / $0 }, shift: zeros, node)
            }
            return .network(draft)
        default: throw node.unsupported("arithmetic on \(value.summary)")
        }
    }

    /// The steps by which one-vs-rest classifiers divide probabilities by their sum, unless it is 0.
    private func oneVsRest(_ kind: String, _ left: GraphValue, _ right: GraphValue) -> GraphValue? {
        switch (kind, left, right) {
        case ("Add", .network(let draft), .totalIsZero(let same)) where draft == same:
            return .network(draft)
        case ("Add", .total(let draft), .totalIsZero(let same)) where draft == same:
            return .total(draft)
        case ("Div", .network(var draft), .total(let same)) where draft == same:
            draft.tail = .shares
            return .network(draft)
        default: return nil
        }
    }

    /// The steps that spell out a sigmoid, and the sum of a row.
    func oneVsRestStep(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        let value = try value(node, 0)
        switch (node.kind, value) {
        case ("Exp", .network(let draft)) where draft.tail == .sums: return .exponential(draft)
        case ("Reciprocal", .onePlusExponential(var draft)):
            let width = draft.width
            try draft.apply(
                scale: [Double](repeating: -1, count: width),
                shift: [Double](repeating: 0, count: width), node)
            draft.tail = .activated(.sigmoid)
            return .network(draft)
        case ("ReduceSum", .network(let draft)) where draft.tail == .activated(.sigmoid):
            let axes =
                node.inputs.count > 1
                ? try tensor(node, 1).values : node.ints("axes").map(Double.init)
            guard axes == [1] || axes == [-1], node.int("keepdims", 1) == 1 else {
                throw node.unsupported("a sum that is not over each row")
            }
            return .total(draft)
        case ("Not", .totalIsThere(let draft)): return .totalIsZero(draft)
        default:
            throw node.unsupported(
                "applied to \(value.summary); it is known only as a step of a one-vs-rest classifier"
            )
        }
    }

    /// Subtracts an offset and multiplies.
    func scaler(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        var draft = try network(node)
        let width = draft.width
        let offset = GraphTensor(vector: try node.floats("offset") ?? [0])
        let scale = GraphTensor(vector: try node.floats("scale") ?? [1])
        let ones = [Double](repeating: 1, count: width)
        try draft.apply(scale: ones, shift: try columns(offset, width, node).map { -$0 }, node)
        try draft.apply(
            scale: try columns(scale, width, node), shift: ones.map { _ in 0 }, node)
        return .network(draft)
    }
}

extension GraphTensor {
    init(vector: [Double]) { self.init(shape: [vector.count], values: vector) }
}
