public import MillraceModels

extension Model {
    /// The longest safetensors file that is imported, in bytes.
    public static let maxSafetensorsBytes = ModelRepository.maxWeightsBytes

    /// A linear model or MLP from the bytes of a safetensors file, whatever they are.
    ///
    /// All tensors are float32. They are named as PyTorch names those of a `torch.nn.Sequential`:
    /// `N.weight` of shape `[outputs, inputs]` and `N.bias` of shape `[outputs]`, layers in the
    /// order of their numbers, which may have gaps; a bias may be missing, for zeros. All names
    /// may have the same text before, as in `net.0.weight`; a single layer needs no number, as in
    /// `weight` and `fc.weight`. Features are taken as they are, missing ones as 0.
    ///
    /// In a file that Millrace has written, which its metadata tell, `layers.N.weight` is of shape
    /// `[inputs, outputs]`, and `input.impute`, `input.mean`, `input.limit` and `input.scale` are
    /// those of the input stage.
    ///
    /// - Parameters:
    ///   - path: the file, for errors.
    ///   - activation: what hidden layers apply; a model that has some needs one.
    ///   - head: what the last layer's sums become.
    ///   - labels: the classes in their order; may be empty.
    ///   - featureNames: the features in their order; may be empty.
    /// - Throws: `RepositoryError` with `malformedFile`, with the byte, or `invalidModel`.
    public init(
        safetensors bytes: [UInt8], path: String, activation: Activation? = nil, head: Head,
        labels: [String] = [], featureNames: [String] = []
    ) throws(RepositoryError) {
        let file = try Safetensors(bytes, path: path)
        func invalid(_ detail: String) -> RepositoryError {
            RepositoryError(.invalidModel, path: path, detail)
        }
        let layers: [DenseLayer]
        let input: InputStage
        if file.metadata["format"] == "millrace" {
            (input, layers) = try LayerTensors(file, path).own()
        } else {
            layers = try LayerTensors(file, path).sequential()
            input = InputStage(identity: layers[0].inputs)
        }
        guard activation != nil || layers.count == 1 else {
            throw invalid(
                "\(layers.count) layers, and nothing says what the hidden ones apply; choose among "
                    + Activation.allCases.map(\.rawValue).joined(separator: ", "))
        }
        do {
            try self.init(
                input: input, layers: layers, activation: activation ?? .relu, head: head,
                labels: labels, featureNames: featureNames)
        } catch { throw invalid(error.description) }
    }
}

/// The tensors of a file as the layers that their names say.
private struct LayerTensors {
    private let file: Safetensors
    private let path: String

    /// What stands in a layer's name before `weight` and `bias`.
    private struct Place: Hashable {
        var prefix: String
        /// Nil for a single layer.
        var number: Int?
    }

    init(_ file: Safetensors, _ path: String) {
        self.file = file
        self.path = path
    }

    private func invalid(_ detail: String) -> RepositoryError {
        RepositoryError(.invalidModel, path: path, detail)
    }

    // MARK: PyTorch's

    func sequential() throws(RepositoryError) -> [DenseLayer] {
        var places: Set<Place> = []
        for tensor in file.tensors { places.insert(try place(of: tensor.name)) }
        let prefixes = Set(places.map(\.prefix))
        guard let prefix = prefixes.first, prefixes.count == 1 else {
            throw invalid(
                places.isEmpty
                    ? "there is no tensor in it"
                    : "tensors of different modules ("
                        + prefixes.sorted().map { "'\($0)'" }.joined(separator: ", ")
                        + "): only those of one torch.nn.Sequential, or of one layer, have an order"
            )
        }
        let numbers = places.compactMap(\.number).sorted()
        guard numbers.count == places.count || places.count == 1 else {
            throw invalid("layers with a number and one without, which have no order")
        }
        var layers: [DenseLayer] = []
        let module = prefix.isEmpty ? "" : prefix + "."
        guard !numbers.isEmpty else { return [try layer(module)] }
        for number in numbers { layers.append(try layer("\(module)\(number).")) }
        return layers
    }

    private func place(of name: String) throws(RepositoryError) -> Place {
        var parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard let last = parts.popLast(), last == "weight" || last == "bias" else {
            throw invalid(
                "the tensor '\(name)' is none of a layer's: names are N.weight and N.bias, as "
                    + "those of a torch.nn.Sequential of Linear layers")
        }
        guard let number = parts.last.flatMap({ Int($0) }), number >= 0, "\(number)" == parts.last
        else { return Place(prefix: parts.joined(separator: "."), number: nil) }
        return Place(prefix: parts.dropLast().joined(separator: "."), number: number)
    }

    /// A layer whose weights are `[outputs, inputs]`.
    private func layer(_ name: String) throws(RepositoryError) -> DenseLayer {
        guard let weight = file[name + "weight"], weight.shape.count == 2 else {
            let found = file[name + "weight"].map { "of shape \($0.shape)" } ?? "missing"
            throw invalid("'\(name)weight' must be of shape [outputs, inputs], and is \(found)")
        }
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        // An empty tensor may claim any width.
        guard outputs > 0, inputs > 0 else {
            throw invalid("'\(name)weight' is of shape \(weight.shape), which holds nothing")
        }
        let bias = file[name + "bias"]
        guard bias == nil || bias?.shape == [outputs] else {
            throw invalid(
                "'\(name)bias' must be of shape [\(outputs)], and is of \(bias?.shape ?? [])")
        }
        var weights: [Float] = []
        weights.reserveCapacity(weight.values.count)
        for i in 0..<inputs {
            for o in 0..<outputs { weights.append(weight.values[o * inputs + i]) }
        }
        return DenseLayer(
            inputs: inputs, outputs: outputs, weights: weights,
            bias: bias?.values ?? [Float](repeating: 0, count: outputs))
    }

    // MARK: Ours

    func own() throws(RepositoryError) -> (InputStage, [DenseLayer]) {
        var layers: [DenseLayer] = []
        while let weight = file["layers.\(layers.count).weight"] {
            guard weight.shape.count == 2 else {
                throw invalid("'\(weight.name)' must be of shape [inputs, outputs]")
            }
            layers.append(
                DenseLayer(
                    inputs: weight.shape[0], outputs: weight.shape[1], weights: weight.values,
                    bias: try values("layers.\(layers.count).bias", weight.shape[1])))
        }
        guard let width = layers.first?.inputs, file.tensors.count == 4 + 2 * layers.count else {
            throw invalid(
                "\(layers.count) layers among \(file.tensors.count) tensors: a file of Millrace's "
                    + "has two for each layer and four of the input")
        }
        let input = InputStage(
            impute: try values("input.impute", width), mean: try values("input.mean", width),
            limit: try values("input.limit", width), scale: try values("input.scale", width))
        return (input, layers)
    }

    private func values(_ name: String, _ count: Int) throws(RepositoryError) -> [Float] {
        guard let tensor = file[name], tensor.shape == [count] else {
            let found = file[name].map { "of shape \($0.shape)" } ?? "missing"
            throw invalid("'\(name)' must be of shape [\(count)], and is \(found)")
        }
        return tensor.values
    }
}
