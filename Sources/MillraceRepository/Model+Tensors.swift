internal import MillraceModels

extension Model {
    /// The numbers of the model as named tensors.
    var tensors: Safetensors {
        var tensors = [
            Tensor(name: "input.impute", shape: [input.width], values: input.impute),
            Tensor(name: "input.mean", shape: [input.width], values: input.mean),
            Tensor(name: "input.limit", shape: [input.width], values: input.limit),
            Tensor(name: "input.scale", shape: [input.width], values: input.scale),
        ]
        for (index, layer) in layers.enumerated() {
            tensors.append(
                Tensor(
                    name: "layers.\(index).weight", shape: [layer.inputs, layer.outputs],
                    values: layer.weights))
            tensors.append(
                Tensor(name: "layers.\(index).bias", shape: [layer.outputs], values: layer.bias))
        }
        return Safetensors(
            tensors: tensors,
            metadata: [
                "format": "millrace", "layout": "layers.N.weight is [in, out], row-major",
                "input": "clamp((missing ? impute : x) - mean, -limit, limit) * scale",
            ])
    }

    var architecture: Manifest.Architecture {
        Manifest.Architecture(
            kind: layers.count == 1 ? "linear" : "mlp", activation: activation, head: head,
            layers: layers.map { [$0.inputs, $0.outputs] },
            missing: input.missing == .impute ? nil : input.missing,
            normalisation: input.normalisation == .none ? nil : input.normalisation,
            selection: input.selection.map {
                Manifest.Selection(rowWidth: $0.rowWidth, columns: $0.columns)
            })
    }

    /// The model of a manifest from its tensors.
    init(_ file: Safetensors, _ manifest: Manifest, path: String) throws(RepositoryError) {
        func values(_ name: String, _ shape: [Int]) throws(RepositoryError) -> [Float] {
            guard let tensor = file[name], tensor.shape == shape else {
                throw RepositoryError(
                    .invalidModel, path: path,
                    "the tensor '\(name)' must be there with the shape \(shape), and is "
                        + (file[name].map { "of shape \($0.shape)" } ?? "missing"))
            }
            return tensor.values
        }
        let shapes = manifest.architecture.layers
        guard let first = shapes.first?.first, shapes.allSatisfy({ $0.count == 2 }) else {
            throw RepositoryError(
                .invalidModel, path: path, "the manifest names no layers as pairs of widths")
        }
        let expected = 4 + 2 * shapes.count
        guard file.tensors.count == expected else {
            throw RepositoryError(
                .invalidModel, path: path,
                "there are \(file.tensors.count) tensors, where the manifest implies \(expected)")
        }
        let architecture = manifest.architecture
        let input = try InputStage(
            impute: values("input.impute", [first]), mean: values("input.mean", [first]),
            limit: values("input.limit", [first]), scale: values("input.scale", [first]),
            missing: architecture.missing ?? .impute,
            normalisation: architecture.normalisation ?? .none,
            selection: architecture.selection.map {
                InputStage.Selection(rowWidth: $0.rowWidth, columns: $0.columns)
            })
        var layers: [DenseLayer] = []
        for (index, shape) in shapes.enumerated() {
            layers.append(
                try DenseLayer(
                    inputs: shape[0], outputs: shape[1],
                    weights: values("layers.\(index).weight", shape),
                    bias: values("layers.\(index).bias", [shape[1]])))
        }
        do {
            try self.init(
                input: input, layers: layers, activation: architecture.activation,
                head: architecture.head, labels: manifest.labels,
                featureNames: manifest.features)
        } catch {
            throw RepositoryError(.invalidModel, path: path, error.description)
        }
    }
}
