internal import FoundationEssentials
internal import MillraceONNXFormat
public import MillraceModels
internal import SwiftProtobuf

extension Model {
    /// The longest ONNX file that is read, in bytes: the wire format has no longer ones.
    public static let maxONNXBytes = 2 << 30

    /// The model that an ONNX file holds, when it is one: an input stage, a linear model or MLP, and
    /// a head.
    ///
    /// Understood is what scikit-learn (through skl2onnx), PyTorch and Keras (through tf2onnx) write
    /// for such models. Nodes are folded in double and rounded to float once, so that predictions
    /// are those of the file to within float's rounding, and not its bits. A missing number is NaN;
    /// without an imputer it goes through the arithmetic, as in ONNX.
    /// **Shape**: rows are those of the graph's inputs, beside each other in their order.
    ///
    /// - Throws: `ONNXError`; a node that cannot be folded is named, with what would be needed.
    /// - Complexity: O(bytes), and O(weights · outputs) where layers follow each other without an
    ///   activation.
    /// - Source: ONNX 1.17, Operators.md and Operators-ml.md.
    public init(onnx bytes: [UInt8]) throws(ONNXError) {
        let file: Onnx_ModelProto
        do { file = try Onnx_ModelProto(serializedBytes: bytes) } catch {
            throw ONNXError(.malformedFile, "the bytes are no ONNX model: \(error)")
        }
        guard file.hasGraph, !file.graph.output.isEmpty else {
            throw ONNXError(.malformedFile, "the file has no graph with an output: is it ONNX?")
        }
        var folding = GraphFolding()
        try folding.begin(file.graph)
        for (index, node) in file.graph.node.enumerated() {
            try folding.fold(try GraphNode(node, number: index))
        }
        self = try folding.model(outputs: file.graph.output.map(\.name))
    }
}

extension GraphFolding {
    /// Takes the constants and the inputs.
    mutating func begin(_ graph: Onnx_GraphProto) throws(ONNXError) {
        for tensor in graph.initializer {
            let constant = try GraphTensor(tensor, "the weight '\(tensor.name)'")
            try define(tensor.name, .constant(constant))
        }
        // Older files list weights among the inputs too.
        let inputs = graph.input.filter { values[$0.name] == nil }
        var widths: [Int] = []
        for input in inputs { widths.append(try Self.width(of: input)) }
        let rowWidth = widths.reduce(0, +)
        guard (1...NetworkDraft.maxWidth).contains(rowWidth) else {
            throw ONNXError(
                .unsupportedGraph,
                "rows of \(rowWidth) numbers; 1 to \(NetworkDraft.maxWidth) are possible")
        }
        var start = 0
        for (input, width) in zip(inputs, widths) {
            let draft = NetworkDraft(columns: start..<start + width, rowWidth: rowWidth)
            let isFlat = input.type.tensorType.shape.dim.count == 2
            try define(input.name, isFlat ? .network(draft) : .block(draft))
            start += width
        }
    }

    /// How many numbers a row of an input has.
    private static func width(of input: Onnx_ValueInfoProto) throws(ONNXError) -> Int {
        let type = input.type.tensorType
        guard let element = GraphTensor.ElementType(rawValue: type.elemType), element != .string
        else {
            throw ONNXError(
                .unsupportedGraph,
                "the input '\(input.name)' has element type \(type.elemType); rows are of numbers")
        }
        var width = 1
        for dimension in type.shape.dim.dropFirst() {
            let (product, overflow) = width.multipliedReportingOverflow(
                by: Int(clamping: dimension.dimValue))
            guard !overflow, (1...NetworkDraft.maxWidth).contains(product) else {
                throw ONNXError(
                    .unsupportedGraph,
                    "the input '\(input.name)' does not say how many numbers a row has, or more "
                        + "than \(NetworkDraft.maxWidth); export it with a fixed number of features"
                )
            }
            width = product
        }
        guard type.shape.dim.count >= 2 else {
            throw ONNXError(
                .unsupportedGraph, "the input '\(input.name)' has no shape [rows, features]")
        }
        return width
    }

    /// The model whose predictions the outputs are.
    mutating func model(outputs: [String]) throws(ONNXError) -> Model {
        var classesOnly: NetworkDraft?
        var found: (draft: NetworkDraft, isBoth: Bool)?
        for name in outputs {
            guard let value = values[name] else {
                throw ONNXError(.malformedFile, "no node makes the output '\(name)'")
            }
            switch value {
            case .classes(let draft, let names):
                try take(labels: names, name)
                classesOnly = draft
            case .network(let draft) where found == nil: found = (draft, false)
            case .bothClasses(let draft) where found == nil: found = (draft, true)
            default:
                throw ONNXError(
                    .unsupportedGraph,
                    "the output '\(name)' is \(value.summary); a model has one prediction, and the "
                        + "class that follows from it")
            }
        }
        guard let draft = found?.draft ?? classesOnly else {
            throw ONNXError(.unsupportedGraph, "no output is a prediction")
        }
        let head = try head(of: draft, isClassifier: found?.isBoth == true || classesOnly != nil)
        return try draft.model(head: head, labels: head == .identity ? [] : labels)
    }

    private func head(of draft: NetworkDraft, isClassifier: Bool) throws(ONNXError) -> Head {
        switch draft.tail {
        case .sums: return isClassifier || !labels.isEmpty ? .scores : .identity
        case .softmax: return .softmax
        case .shares: return .oneVsRest
        case .activated(.sigmoid) where draft.width == 1: return .sigmoid
        case .input, .activated:
            throw ONNXError(
                .unsupportedGraph,
                "the output is \(draft.tail.summary) of \(draft.width) numbers; heads are none, one "
                    + "sigmoid, softmax, and sigmoids divided by their sum")
        }
    }
}
