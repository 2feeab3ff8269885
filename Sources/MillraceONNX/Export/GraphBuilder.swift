internal import FoundationEssentials
internal import MillraceCompute
internal import MillraceONNXFormat

/// A graph that is being written: nodes in their order, each from the value that the last one gave.
struct GraphBuilder {
    /// The versions of the operators that are written: Gelu came with 20.
    static let opsetVersion: Int64 = 20
    static let machineLearningVersion: Int64 = 3
    private static let irVersion: Int64 = 9

    private(set) var graph = Onnx_GraphProto()
    /// The value that the next node takes.
    private(set) var current: String

    init(input: String, width: Int) {
        current = input
        graph.name = "millrace"
        graph.input = [Self.information(input, .float, [nil, width])]
    }

    /// Appends a node; `others` are its further inputs, or all of them with `alone`.
    mutating func add(
        _ kind: String, _ others: [String] = [], alone: Bool = false, to output: String? = nil,
        domain: String = "", _ attributes: [Onnx_AttributeProto] = []
    ) {
        var node = Onnx_NodeProto()
        node.name = "\(kind)_\(graph.node.count)"
        node.opType = kind
        node.domain = domain
        node.input = alone ? others : [current] + others
        current = output ?? "value_\(graph.node.count)"
        node.output = [current]
        node.attribute = attributes
        graph.node.append(node)
    }

    /// Appends an operator of classical machine learning.
    mutating func addLearned(
        _ kind: String, _ others: [String] = [], alone: Bool = false,
        _ attributes: [Onnx_AttributeProto] = []
    ) {
        add(kind, others, alone: alone, domain: "ai.onnx.ml", attributes)
    }

    /// Keeps floats in the file and gives their name.
    mutating func constant(_ name: String, _ shape: [Int], _ values: [Float]) -> String {
        keep(name, .float, shape) {
            var bytes: [UInt8] = []
            NumberBytes.append(values, to: &bytes)
            $0.rawData = Data(bytes)
        }
    }

    /// Keeps integers.
    mutating func constant(_ name: String, integers: [Int64]) -> String {
        keep(name, .int64, [integers.count]) {
            $0.rawData = Self.bytes(integers)
        }
    }

    /// Keeps texts.
    mutating func constant(_ name: String, texts: [String]) -> String {
        keep(name, .string, [texts.count]) { $0.stringData = texts.map { Data($0.utf8) } }
    }

    /// Declares an output; nil stands for the number of rows.
    mutating func output(_ name: String, _ type: GraphTensor.ElementType, _ shape: [Int?]) {
        graph.output.append(Self.information(name, type, shape))
    }

    /// The file's message.
    func file() -> Onnx_ModelProto {
        var file = Onnx_ModelProto()
        file.irVersion = Self.irVersion
        file.producerName = "millrace"
        file.opsetImport = [("", Self.opsetVersion), ("ai.onnx.ml", Self.machineLearningVersion)]
            .map { domain, version in
                var set = Onnx_OperatorSetIdProto()
                set.domain = domain
                set.version = version
                return set
            }
        file.graph = graph
        return file
    }

    private mutating func keep(
        _ name: String, _ type: GraphTensor.ElementType, _ shape: [Int],
        _ fill: (inout Onnx_TensorProto) -> Void
    ) -> String {
        var tensor = Onnx_TensorProto()
        tensor.name = name
        tensor.dataType = type.rawValue
        tensor.dims = shape.map(Int64.init)
        fill(&tensor)
        graph.initializer.append(tensor)
        return name
    }

    /// Little-endian, as the format has it.
    private static func bytes(_ integers: [Int64]) -> Data {
        Data(
            integers.flatMap { integer in
                stride(from: 0, to: Int64.bitWidth, by: 8).map {
                    UInt8(truncatingIfNeeded: integer >> $0)
                }
            })
    }

    private static func information(
        _ name: String, _ type: GraphTensor.ElementType, _ shape: [Int?]
    ) -> Onnx_ValueInfoProto {
        var information = Onnx_ValueInfoProto()
        information.name = name
        information.type.tensorType.elemType = type.rawValue
        information.type.tensorType.shape.dim = shape.map { size in
            var dimension = Onnx_TensorShapeProto.Dimension()
            if let size { dimension.dimValue = Int64(size) } else { dimension.dimParam = "rows" }
            return dimension
        }
        return information
    }
}

extension Onnx_AttributeProto {
    static func int(_ name: String, _ value: Int64) -> Self {
        make(name, .int) { $0.i = value }
    }

    static func float(_ name: String, _ value: Float) -> Self {
        make(name, .float) { $0.f = value }
    }

    static func floats(_ name: String, _ values: [Float]) -> Self {
        make(name, .floats) { $0.floats = values }
    }

    static func text(_ name: String, _ value: String) -> Self {
        make(name, .string) { $0.s = Data(value.utf8) }
    }

    private static func make(
        _ name: String, _ type: AttributeType, _ fill: (inout Self) -> Void
    ) -> Self {
        var attribute = Self()
        attribute.name = name
        attribute.type = type
        fill(&attribute)
        return attribute
    }
}
