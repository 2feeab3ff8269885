/// An ONNX file that cannot be read, or that holds what Millrace's models do not.
public struct ONNXError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Why it failed.
    public enum Code: String, Sendable {
        /// Bytes that are no ONNX model, or a graph that breaks the format's rules.
        case malformedFile
        /// A tensor whose shape and elements do not fit, or with a number that is not finite.
        case invalidTensor
        /// Weights that are in another file.
        case externalData
        /// A node that has no counterpart in an input stage, a linear model or MLP, and a head.
        case unsupportedNode
        /// A graph whose parts are known, and that is no such model as a whole.
        case unsupportedGraph
    }

    /// Why it failed.
    public let code: Code
    /// What was found, and what is needed.
    public let detail: String
    /// The name of the node, where there is one.
    public let node: String?
    /// The node's operator, where there is one.
    public let operatorName: String?

    init(_ code: Code, _ detail: String, node: GraphNode? = nil) {
        self.code = code
        self.detail = detail
        self.node = node?.name
        operatorName = node?.kind
    }

    /// The node, when there is one, and what is wrong.
    public var description: String {
        guard let node, let operatorName else { return detail }
        return "node '\(node)' (\(operatorName)): \(detail)"
    }
}
