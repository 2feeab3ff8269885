internal import MillraceModels

extension GraphFolding {
    /// Both bounds at once, as numbers.
    func clip(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        func limit(_ index: Int, _ name: String) throws(ONNXError) -> Double? {
            guard index < node.inputs.count, !node.inputs[index].isEmpty else {
                return node.optionalFloat(name)
            }
            return try tensor(node, index).values.first
        }
        var draft = try inputOnly(node)
        guard let low = try limit(1, "min"), let high = try limit(2, "max") else {
            throw node.unsupported("only one bound; an input stage has both")
        }
        for i in draft.features.indices { try draft.clip(i, low, high, node) }
        return .network(draft)
    }

    /// Min and Max by constants: one bound each, both of which an input stage needs.
    func bound(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        guard node.inputs.count == 2 else { throw node.unsupported("other than two inputs") }
        let isHigh = node.kind == "Min"
        if case .network(let draft) = try value(node, 0), draft.tail == .input {
            let bounds = try columns(try tensor(node, 1), draft.width, node)
            return .halfBounded(draft, bounds, isHigh: isHigh)
        }
        guard case .halfBounded(var draft, let first, let firstIsHigh) = try value(node, 0),
            firstIsHigh != isHigh
        else { throw node.unsupported("it is known only as one of the two bounds of the input") }
        let second = try columns(try tensor(node, 1), draft.width, node)
        for i in draft.features.indices {
            try draft.clip(i, isHigh ? first[i] : second[i], isHigh ? second[i] : first[i], node)
        }
        return .network(draft)
    }

    func imputer(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        var draft = try inputOnly(node)
        let floats = try node.floats("imputed_value_floats")
        let values = floats ?? node.ints("imputed_value_int64s").map(Double.init)
        guard !values.isEmpty, node.float("replaced_value_float", 0).isNaN else {
            throw node.unsupported(
                "it must put numbers in the place of NaN, which means missing here")
        }
        let imputed = try columns(GraphTensor(vector: values), draft.width, node)
        for i in draft.features.indices where draft.features[i].impute == nil {
            let feature = draft.features[i]
            let raw = (imputed[i] - feature.shift) / feature.scale + feature.mean
            guard raw.isFinite, feature.limit == .infinity else {
                throw node.unsupported("feature \(i) is clipped, or constant, before it is imputed")
            }
            draft.features[i].impute = raw
        }
        return .network(draft)
    }

    /// Rows divided by their norm: an input stage's, or a one-vs-rest classifier's.
    func normalise(_ node: GraphNode) throws(ONNXError) -> GraphValue {
        let norm =
            node.kind == "Normalizer" ? node.text("norm", "MAX") : "L\(node.int("p", 2))"
        guard node.kind == "Normalizer" || [1, -1].contains(node.int("axis", -1)) else {
            throw node.unsupported("it must be over each row")
        }
        let value = try value(node, 0)
        if case .bothClasses(let draft) = value, norm == "L1", draft.tail == .activated(.sigmoid) {
            return value
        }
        var draft = try network(node)
        switch (draft.tail, norm) {
        case (.softmax, "L1"), (.shares, "L1"): break
        case (.activated(.sigmoid), "L1") where draft.width > 1: draft.tail = .shares
        case (.input, "L1") where draft.normalisation == .none: draft.normalisation = .l1
        case (.input, "L2") where draft.normalisation == .none: draft.normalisation = .l2
        default:
            throw node.unsupported(
                "the norm \(norm) of \(draft.tail.summary); known are L1 and L2 of the input, and L1 "
                    + "of probabilities")
        }
        return .network(draft)
    }

    /// The input of the model, before it is normalised.
    private func inputOnly(_ node: GraphNode) throws(ONNXError) -> NetworkDraft {
        let draft = try network(node)
        guard draft.tail == .input, draft.normalisation == .none else {
            throw node.unsupported(
                "applied to \(draft.tail == .input ? "normalised rows" : draft.tail.summary); it is "
                    + "known only on the input")
        }
        return draft
    }
}

extension NetworkDraft {
    /// Keeps a feature within bounds.
    fileprivate mutating func clip(
        _ index: Int, _ low: Double, _ high: Double, _ node: GraphNode
    ) throws(ONNXError) {
        let feature = features[index]
        let largest = Double(Float.greatestFiniteMagnitude)
        guard low > -largest || high < largest else { return }
        guard low < high, feature.limit == .infinity, feature.scale != 0 else {
            throw node.unsupported(
                "feature \(index) is bounded twice, or to \(low)...\(high), or constant")
        }
        let middle = (low + high) / 2
        features[index].mean += (middle - feature.shift) / feature.scale
        features[index].limit = (high - low) / 2 / abs(feature.scale)
        features[index].shift = middle
    }
}
