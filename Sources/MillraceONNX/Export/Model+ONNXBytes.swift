internal import MillraceONNXFormat
public import MillraceModels
internal import SwiftProtobuf

extension Model {
    /// The model as an ONNX file, operator set 20 and ai.onnx.ml 3.
    ///
    /// The input is `features`, `[rows, inputWidth]`, NaN where missing. A regression gives
    /// `predictions`; a classifier gives `label` (integers where all labels are, otherwise text; the
    /// class's number where the model has none) and `probabilities` of all classes in label order, or
    /// `scores`. `Model.init(onnx:)` gives a model that predicts the same bits. ONNX has no policy of
    /// rejecting rows: a missing number without another value in its place goes through the
    /// arithmetic there.
    ///
    /// - Throws: `ONNXError` with `unsupportedGraph` for rows divided by their largest magnitude, for
    ///   which ONNX's operator takes the largest number instead, and for files of more than 2 GB.
    /// - Complexity: O(weights).
    public func onnx() throws(ONNXError) -> [UInt8] {
        var builder = GraphBuilder(input: "features", width: inputWidth)
        try input.write(into: &builder)
        for (index, layer) in layers.enumerated() {
            let weights = builder.constant(
                "layers.\(index).weight", [layer.inputs, layer.outputs], layer.weights)
            let bias = builder.constant("layers.\(index).bias", [layer.outputs], layer.bias)
            builder.add("Gemm", [weights, bias])
            if index < layers.count - 1 { activation.write(into: &builder) }
        }
        if head == .identity {
            builder.add("Identity", to: "predictions")
            builder.output("predictions", .float, [nil, outputWidth])
        } else {
            writeClassifier(into: &builder)
        }
        do { return try builder.file().serializedBytes() } catch {
            throw ONNXError(.unsupportedGraph, "the model cannot be written as ONNX: \(error)")
        }
    }

    private func writeClassifier(into builder: inout GraphBuilder) {
        let name = head == .scores ? "scores" : "probabilities"
        switch head {
        case .sigmoid:
            builder.add("Sigmoid")
            let positive = builder.current
            let one = builder.constant("one", [], [1])
            builder.add("Sub", [one, positive], alone: true)
            builder.add("Concat", [positive], to: name, [.int("axis", 1)])
        case .scores where outputWidth == 1:
            let score = builder.current
            builder.add("Mul", [builder.constant("negate", [], [-1])])
            builder.add("Concat", [score], to: name, [.int("axis", 1)])
        case .softmax: builder.add("Softmax", to: name, [.int("axis", 1)])
        case .oneVsRest:
            builder.add("Sigmoid")
            builder.add("LpNormalization", to: name, [.int("axis", 1), .int("p", 1)])
        case .identity, .scores: builder.add("Identity", to: name)
        }
        let numbers =
            labels.isEmpty ? (0..<Int64(classCount)).map { $0 } : labels.compactMap(Int64.init)
        let areNumbers =
            labels.isEmpty || (numbers.count == labels.count && numbers.map(String.init) == labels)
        let classes =
            areNumbers
            ? builder.constant("classes", integers: numbers)
            : builder.constant("classes", texts: labels)
        builder.add("ArgMax", [.int("axis", 1)])
        builder.addLearned("ArrayFeatureExtractor", [classes, builder.current], alone: true)
        builder.add("Reshape", [builder.constant("flat", integers: [-1])], to: "label")
        builder.output("label", areNumbers ? .int64 : .string, [nil])
        builder.output(name, .float, [nil, classCount])
    }
}

extension GraphBuilder {
    /// Appends a node that takes the last value alone.
    mutating func add(_ kind: String, to output: String? = nil, _ attributes: [Onnx_AttributeProto])
    {
        add(kind, [], to: output, attributes)
    }
}

extension InputStage {
    fileprivate func write(into builder: inout GraphBuilder) throws(ONNXError) {
        if let selection {
            let columns = builder.constant(
                "input.columns", integers: selection.columns.map(Int64.init))
            builder.addLearned("ArrayFeatureExtractor", [columns])
        }
        if missing == .impute {
            builder.addLearned(
                "Imputer",
                [.floats("imputed_value_floats", impute), .float("replaced_value_float", .nan)])
        }
        if mean.contains(where: { $0 != 0 }) {
            builder.add("Sub", [builder.constant("input.mean", [width], mean)])
        }
        if limit.contains(where: \.isFinite) {
            let high = limit.map { min($0, .greatestFiniteMagnitude) }
            builder.add("Max", [builder.constant("input.low", [width], high.map { -$0 })])
            builder.add("Min", [builder.constant("input.high", [width], high)])
        }
        if scale.contains(where: { $0 != 1 }) {
            builder.add("Mul", [builder.constant("input.scale", [width], scale)])
        }
        switch normalisation {
        case .none: break
        case .l1: builder.addLearned("Normalizer", [.text("norm", "L1")])
        case .l2: builder.addLearned("Normalizer", [.text("norm", "L2")])
        case .max:
            throw ONNXError(
                .unsupportedGraph,
                "rows are divided by their largest magnitude, and ONNX's Normalizer takes the "
                    + "largest number; train with another normalisation to export")
        }
    }
}

extension GraphBuilder {
    fileprivate mutating func addLearned(_ kind: String, _ attributes: [Onnx_AttributeProto]) {
        addLearned(kind, [], attributes)
    }
}

extension Activation {
    fileprivate func write(into builder: inout GraphBuilder) {
        switch self {
        case .relu: builder.add("Relu")
        case .leakyReLU: builder.add("LeakyRelu", [.float("alpha", 0.01)])
        case .tanh: builder.add("Tanh")
        case .sigmoid: builder.add("Sigmoid")
        case .gelu: builder.add("Gelu")
        }
    }
}
