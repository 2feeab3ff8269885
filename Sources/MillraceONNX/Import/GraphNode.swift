internal import FoundationEssentials
internal import MillraceONNXFormat

/// A node of a graph with its attributes by name.
struct GraphNode {
    let name: String
    /// The operator.
    let kind: String
    let inputs: [String]
    let outputs: [String]
    private let attributes: [String: Onnx_AttributeProto]

    /// - Throws: `ONNXError` with `unsupportedNode` for an operator of somebody's own.
    init(_ node: Onnx_NodeProto, number: Int) throws(ONNXError) {
        name = node.name.isEmpty ? "#\(number)" : node.name
        kind = node.opType
        inputs = node.input
        outputs = node.output
        attributes = Dictionary(node.attribute.map { ($0.name, $0) }) { first, _ in first }
        guard ["", "ai.onnx", "ai.onnx.ml"].contains(node.domain) else {
            throw unsupported(
                "an operator of the domain '\(node.domain)'; only those of ONNX and ai.onnx.ml "
                    + "have a meaning here")
        }
    }

    /// This node cannot become part of a model.
    func unsupported(_ detail: String) -> ONNXError {
        ONNXError(.unsupportedNode, detail, node: self)
    }

    /// This node breaks the rules of its operator.
    func malformed(_ detail: String) -> ONNXError {
        ONNXError(.malformedFile, detail, node: self)
    }

    func float(_ name: String, _ otherwise: Float) -> Double {
        Double(attributes[name]?.f ?? otherwise)
    }

    func optionalFloat(_ name: String) -> Double? { attributes[name].map { Double($0.f) } }

    func int(_ name: String, _ otherwise: Int64) -> Int64 { attributes[name]?.i ?? otherwise }

    func ints(_ name: String) -> [Int64] { attributes[name]?.ints ?? [] }

    func text(_ name: String, _ otherwise: String) -> String {
        attributes[name].map { String(decoding: $0.s, as: UTF8.self) } ?? otherwise
    }

    /// Finite numbers; nil when the attribute is not there.
    func floats(_ name: String) throws(ONNXError) -> [Double]? {
        guard let values = attributes[name]?.floats, !values.isEmpty else { return nil }
        guard values.allSatisfy(\.isFinite) else {
            throw ONNXError(.invalidTensor, "\(name) has a number that is not finite", node: self)
        }
        return values.map(Double.init)
    }

    func tensor(_ name: String) throws(ONNXError) -> GraphTensor? {
        guard let tensor = attributes[name]?.t else { return nil }
        return try GraphTensor(tensor, "the attribute '\(name)' of node '\(self.name)'")
    }

    /// The classes that attributes with the given names list, as text or as numbers.
    func classes(_ texts: String, _ numbers: String) -> [String] {
        let found = attributes[texts]?.strings.map { String(decoding: $0, as: UTF8.self) } ?? []
        return found.isEmpty ? ints(numbers).map(String.init) : found
    }
}
