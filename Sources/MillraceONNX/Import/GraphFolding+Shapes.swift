internal import MillraceModels

extension GraphFolding {
    func cast(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        let value = try value(node, 0)
        let type = GraphTensor.ElementType(rawValue: Int32(clamping: node.int("to", 0)))
        switch (value, type) {
        case (.total(let draft), .bool): return .totalIsThere(draft)
        case (_, .float), (_, .double), (.classes, _), (.constant, _): return value
        default:
            throw node.unsupported(
                "\(value.summary) as element type \(node.int("to", 0)); models compute with floats")
        }
    }

    /// Reshape and Flatten, where rows stay rows.
    func reshape(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        let value = try value(node, 0)
        if case .classes = value { return value }
        let draft: NetworkDraft
        switch value {
        case .network(let found), .block(let found): draft = found
        default: throw node.unsupported("another shape for \(value.summary)")
        }
        let keepsRows: Bool
        if node.kind == "Flatten" {
            keepsRows = node.int("axis", 1) == 1
        } else {
            let shape = try tensor(node, 1).values
            let width = Double(draft.width)
            keepsRows =
                [[-1, width], [0, width], [0, -1]].contains(shape)
                || (width == 1 && shape == [-1])
        }
        guard keepsRows else {
            throw node.unsupported("a shape that does not keep each row's \(draft.width) numbers")
        }
        return .network(draft)
    }

    func concatenate(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        guard [1, -1].contains(node.int("axis", 0)), !node.inputs.isEmpty else {
            throw node.unsupported("it must put columns beside each other")
        }
        let first = try value(node, 0)
        if node.inputs.count == 2 {
            switch (first, try value(node, 1)) {
            case (.complement(let draft), .network(let same))
            where draft == same && draft.width == 1:
                return .bothClasses(draft)
            case (.network(let negative), .network(let draft))
            where draft.width == 1 && draft.tail == .sums && draft.isOpposite(of: negative):
                return .bothClasses(draft)
            default: break
            }
        }
        var draft = try network(node)
        for index in 1..<node.inputs.count {
            guard draft.join(try network(node, index)) else {
                throw node.unsupported(
                    "input number \(index) is computed otherwise than those before; a model has one "
                        + "path from its input to its output")
            }
        }
        return .network(draft)
    }

    /// The second column of a binary classifier's outputs.
    func slice(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        let starts = try tensor(node, 1).values
        let ends = try tensor(node, 2).values
        let axes = node.inputs.count > 3 ? try tensor(node, 3).values : []
        guard case .bothClasses(let draft) = try value(node, 0), starts == [1],
            ends.count == 1, ends[0] >= 2, axes == [1] || axes == [-1]
        else { throw node.unsupported("it is known only for the second class of two") }
        return .network(draft)
    }

    /// Columns of the input, or the names of the classes.
    func extract(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        switch (try value(node, 0), try value(node, 1)) {
        case (.constant(let names), .classes(let draft, _)):
            return .classes(draft, names.classes)
        case (.bothClasses(let draft), .constant(let column)) where column.values == [1]:
            return .network(draft)
        case (.network(var draft), .constant(let columns)) where draft.tail == .input:
            let wanted = columns.values.compactMap { Int(exactly: $0) }
            guard draft.normalisation == .none, !wanted.isEmpty,
                wanted.count == columns.values.count,
                wanted.allSatisfy(draft.features.indices.contains)
            else {
                throw node.malformed("columns that are not among the \(draft.width) there are")
            }
            draft.features = wanted.map { draft.features[$0] }
            return .network(draft)
        case (let value, _): throw node.unsupported("columns of \(value.summary)")
        }
    }

    /// The class of each row.
    func largest(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        guard [1, -1].contains(node.int("axis", 0)), node.int("select_last_index", 0) == 0 else {
            throw node.unsupported("it must be over each row's columns, the first of equals")
        }
        switch try value(node, 0) {
        case .network(let draft) where draft.tail != .input && draft.width > 1:
            return .classes(draft, [])
        case .bothClasses(let draft): return .classes(draft, [])
        case let value: throw node.unsupported("the largest column of \(value.summary)")
        }
    }

    mutating func zipMap(_ node: GraphNode) throws(ONNXError) -> [GraphValue] {
        try take(labels: node.classes("classlabels_strings", "classlabels_int64s"), node.name)
        return [try value(node, 0)]
    }
}

extension NetworkDraft {
    /// Whether the last layer's sums are those of `other` with the other sign.
    fileprivate func isOpposite(of other: NetworkDraft) -> Bool {
        guard var last = other.layers.last, other.tail == .sums else { return false }
        last.weights = last.weights.map { -$0 }
        last.bias = last.bias.map { -$0 }
        var flipped = other
        flipped.layers[flipped.layers.count - 1] = last
        return flipped == self
    }
}
