internal import MillraceCompute

/// How raw features become the input of the first layer, feature by feature:
/// `clamp((missing ? impute : x) - mean, -limit, limit) * scale`.
///
/// A missing number is NaN. All arrays are as long as there are features.
public struct InputStage: Sendable, Equatable {
    /// What stands for a missing number, in the feature's own unit.
    public var impute: [Float]
    /// What is subtracted; 0 where a feature is not standardised.
    public var mean: [Float]
    /// The largest distance from the mean that counts, in the feature's own unit; infinity for none.
    public var limit: [Float]
    /// One over the standard deviation; 1 where a feature is not standardised.
    public var scale: [Float]

    /// An input stage from its numbers, which `Model.init` checks.
    public init(impute: [Float], mean: [Float], limit: [Float], scale: [Float]) {
        self.impute = impute
        self.mean = mean
        self.limit = limit
        self.scale = scale
    }

    /// Features as they are, missing ones as 0.
    public init(identity features: Int) {
        impute = [Float](repeating: 0, count: features)
        mean = impute
        limit = [Float](repeating: .infinity, count: features)
        scale = [Float](repeating: 1, count: features)
    }

    /// How many features there are.
    public var width: Int { impute.count }
}

/// A layer in which every input has a weight for every output.
public struct DenseLayer: Sendable, Equatable {
    /// How many numbers come in.
    public var inputs: Int
    /// How many numbers come out.
    public var outputs: Int
    /// `[inputs, outputs]`, row-major.
    public var weights: [Float]
    /// One for each output.
    public var bias: [Float]

    /// A layer from its numbers, which `Model.init` checks.
    public init(inputs: Int, outputs: Int, weights: [Float], bias: [Float]) {
        self.inputs = inputs
        self.outputs = outputs
        self.weights = weights
        self.bias = bias
    }
}

/// A linear model or a multi-layer perceptron, with the input stage it was trained with.
///
/// A model that exists is sound: shapes fit and numbers are finite.
public struct Model: Sendable, Equatable {
    /// What is done to raw features.
    public let input: InputStage
    /// At least one; all but the last are followed by `activation`.
    public let layers: [DenseLayer]
    /// What hidden layers apply.
    public let activation: Activation
    /// What the last layer's sums become.
    public let head: Head
    /// The classes in the order of their probabilities, two for a sigmoid head; may be empty.
    public let labels: [String]
    /// The features in their order; may be empty.
    public let featureNames: [String]

    /// A model from its parts.
    ///
    /// - Throws: `ModelError` with `invalidShape` or `invalidNumber`.
    public init(
        input: InputStage, layers: [DenseLayer], activation: Activation = .relu, head: Head,
        labels: [String] = [], featureNames: [String] = []
    ) throws(ModelError) {
        self.input = input
        self.layers = layers
        self.activation = activation
        self.head = head
        self.labels = labels
        self.featureNames = featureNames
        try checkInput()
        try checkLayers()
        try checkHead()
    }

    /// How many features a row has.
    public var inputWidth: Int { input.width }

    /// How many numbers a prediction has: one for a sigmoid head, otherwise the last layer's outputs.
    public var outputWidth: Int { layers.last?.outputs ?? 0 }

    /// How many classes the predictions tell apart; 0 for a regression.
    public var classCount: Int {
        switch head {
        case .identity: 0
        case .sigmoid: 2
        case .softmax: outputWidth
        }
    }

    /// The probabilities of all classes from one prediction: two from that of a sigmoid head.
    ///
    /// **Shape**: `outputWidth` numbers in; those of a regression come out as they are.
    public func classProbabilities(_ prediction: [Float]) -> [Float] {
        precondition(prediction.count == outputWidth, "a prediction has outputWidth numbers")
        return head == .sigmoid ? [1 - prediction[0], prediction[0]] : prediction
    }

    private func checkInput() throws(ModelError) {
        let width = input.width
        guard width > 0, input.mean.count == width, input.scale.count == width,
            input.limit.count == width
        else {
            throw ModelError(
                .invalidShape,
                "the input stage has \(width) imputed values, \(input.mean.count) means, "
                    + "\(input.limit.count) limits and \(input.scale.count) scales; "
                    + "there must be one of each for every feature")
        }
        for i in 0..<width {
            guard input.impute[i].isFinite, input.mean[i].isFinite, input.scale[i].isFinite,
                input.scale[i] > 0, input.limit[i] >= 0
            else {
                throw ModelError(
                    .invalidNumber,
                    "the input stage of feature \(i) has impute \(input.impute[i]), mean "
                        + "\(input.mean[i]), limit \(input.limit[i]), scale \(input.scale[i])")
            }
        }
        guard featureNames.isEmpty || featureNames.count == width else {
            throw ModelError(
                .invalidShape, "\(featureNames.count) feature names for \(width) features")
        }
    }

    private func checkLayers() throws(ModelError) {
        var inputs = input.width
        for (index, layer) in layers.enumerated() {
            let (size, overflow) = layer.inputs.multipliedReportingOverflow(by: layer.outputs)
            guard layer.inputs == inputs, layer.outputs > 0, !overflow,
                layer.weights.count == size, layer.bias.count == layer.outputs
            else {
                throw ModelError(
                    .invalidShape,
                    "layer \(index) is [\(layer.inputs), \(layer.outputs)] with "
                        + "\(layer.weights.count) weights and \(layer.bias.count) biases, "
                        + "where \(inputs) inputs come in")
            }
            let weights = index == 0 ? foldedWeights : layer.weights
            guard weights.allSatisfy(\.isFinite), layer.bias.allSatisfy(\.isFinite) else {
                throw ModelError(
                    .invalidNumber, "layer \(index) has a weight or a bias that is not finite")
            }
            inputs = layer.outputs
        }
    }

    private func checkHead() throws(ModelError) {
        guard !layers.isEmpty else {
            throw ModelError(.invalidShape, "a model needs at least one layer")
        }
        guard head != .sigmoid || outputWidth == 1, head != .softmax || outputWidth > 1 else {
            throw ModelError(
                .invalidShape, "a \(head.rawValue) head does not go with \(outputWidth) outputs")
        }
        let expected = head == .identity ? outputWidth : classCount
        guard labels.isEmpty || labels.count == expected else {
            throw ModelError(
                .invalidShape, "\(labels.count) labels, where \(expected) can be told apart")
        }
    }

    /// The first layer's weights with the scales in them, as the kernels use them.
    private var foldedWeights: [Float] {
        layers[0].packable(.identity).foldedWeights(input.scale)
    }

    var packed: [PackedNetwork.Layer] {
        layers.enumerated().map { index, layer in
            let last = index == layers.count - 1
            let atHead: Nonlinearity = head == .sigmoid ? .sigmoid : .identity
            return layer.packable(last ? atHead : activation.nonlinearity)
        }
    }
}

extension DenseLayer {
    func packable(_ function: Nonlinearity) -> PackedNetwork.Layer {
        PackedNetwork.Layer(
            inputs: inputs, outputs: outputs, weights: weights, bias: bias, function: function)
    }
}
