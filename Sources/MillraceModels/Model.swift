internal import MillraceCompute

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

    /// How many numbers a row has: the features, and those that are not selected.
    public var inputWidth: Int { input.rowWidth }

    /// How many numbers a prediction has: one for a sigmoid head, otherwise the last layer's outputs.
    public var outputWidth: Int { layers.last?.outputs ?? 0 }

    /// How many classes the predictions tell apart; 0 for a regression.
    public var classCount: Int { head.classCount(outputWidth: outputWidth) }

    /// The probabilities of all classes from one prediction: two from that of a sigmoid head.
    ///
    /// **Shape**: `outputWidth` numbers in; those of a regression, and scores, come out as they are.
    public func classProbabilities(_ prediction: [Float]) -> [Float] {
        precondition(prediction.count == outputWidth, "a prediction has outputWidth numbers")
        return head == .sigmoid ? [1 - prediction[0], prediction[0]] : prediction
    }

    private func checkInput() throws(ModelError) {
        try input.check()
        guard featureNames.isEmpty || featureNames.count == input.width else {
            throw ModelError(
                .invalidShape, "\(featureNames.count) feature names for \(input.width) features")
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
            let weights = index == 0 && input.foldsScales ? foldedWeights : layer.weights
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
        let many = head == .softmax || head == .oneVsRest
        guard head != .sigmoid || outputWidth == 1, !many || outputWidth > 1 else {
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
            return layer.packable(last ? head.nonlinearity : activation.nonlinearity)
        }
    }
}

extension DenseLayer {
    func packable(_ function: Nonlinearity) -> PackedNetwork.Layer {
        PackedNetwork.Layer(
            inputs: inputs, outputs: outputs, weights: weights, bias: bias, function: function)
    }
}
