internal import MillraceModels

extension NetworkDraft {
    /// The model, with numbers rounded to float once.
    func model(head: Head, labels: [String]) throws(ONNXError) -> Model {
        guard var first = layers.first else {
            throw ONNXError(
                .unsupportedGraph,
                "there is no layer: a model needs a Gemm, MatMul or linear operator")
        }
        let imputed = features.count { $0.impute != nil }
        guard imputed == 0 || imputed == features.count else {
            throw ONNXError(
                .unsupportedGraph,
                "\(imputed) of \(features.count) features are imputed; a model imputes all of them "
                    + "or none")
        }
        var stage = features
        for i in stage.indices { try absorb(&stage[i], i, &first) }
        let columns = stage.map(\.column)
        let input = InputStage(
            impute: stage.map { Float($0.impute ?? 0) }, mean: stage.map { Float($0.mean) },
            limit: stage.map { Float($0.limit) }, scale: stage.map { Float($0.scale) },
            missing: imputed == 0 ? .propagate : .impute, normalisation: normalisation,
            selection: columns == Array(0..<rowWidth)
                ? nil : InputStage.Selection(rowWidth: rowWidth, columns: columns))
        let dense = ([first] + layers.dropFirst()).map { layer in
            DenseLayer(
                inputs: layer.inputs, outputs: layer.outputs,
                weights: layer.weights.map { Float($0) }, bias: layer.bias.map { Float($0) })
        }
        do {
            return try Model(
                input: input, layers: dense, activation: hidden ?? .relu, head: head,
                labels: labels)
        } catch {
            throw ONNXError(.unsupportedGraph, error.description)
        }
    }

    /// Leaves a scale above zero and no shift; the layer takes the rest.
    private func absorb(
        _ feature: inout Feature, _ index: Int, _ layer: inout Layer
    ) throws(ONNXError) {
        guard normalisation == .none || (feature.shift == 0 && feature.scale != 0) else {
            throw ONNXError(
                .unsupportedGraph,
                "feature \(index) is clipped or constant before rows are normalised, which a "
                    + "model's input stage does not do")
        }
        let row = index * layer.outputs..<(index + 1) * layer.outputs
        for (j, at) in row.enumerated() {
            layer.bias[j] += feature.shift * layer.weights[at]
            if feature.scale < 0 { layer.weights[at] = -layer.weights[at] }
            if feature.scale == 0 { layer.weights[at] = 0 }
        }
        feature.shift = 0
        feature.scale = feature.scale == 0 ? 1 : abs(feature.scale)
    }
}
