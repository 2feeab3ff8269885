internal import FoundationEssentials
internal import MillraceONNXFormat

/// A constant of a graph: its shape, and its elements as double (integers below 2^53) or as text.
struct GraphTensor: Equatable {
    var shape: [Int]
    var values: [Double] = []
    var texts: [String] = []

    /// The classes that it lists.
    var classes: [String] {
        texts.isEmpty ? values.map { Self.label($0) } : texts
    }

    static func label(_ value: Double) -> String {
        Int(exactly: value).map(String.init) ?? "\(value)"
    }

    init(shape: [Int], values: [Double]) {
        self.shape = shape
        self.values = values
    }

    /// A tensor of a file; `context` names it in errors.
    init(_ tensor: Onnx_TensorProto, _ context: String) throws(ONNXError) {
        guard tensor.dataLocation == 0, tensor.externalData.isEmpty else {
            throw ONNXError(
                .externalData,
                "the weights of \(context) are in another file; save the model with its weights inside"
            )
        }
        shape = []
        var count = 1
        for dimension in tensor.dims {
            guard let size = Int(exactly: dimension), size >= 0 else {
                throw ONNXError(.invalidTensor, "\(context) has a dimension of \(dimension)")
            }
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow else {
                throw ONNXError(.invalidTensor, "the shape of \(context) overflows")
            }
            count = product
            shape.append(size)
        }
        if tensor.dataType == ElementType.string.rawValue {
            texts = tensor.stringData.map { String(decoding: $0, as: UTF8.self) }
        } else {
            values = try Self.numbers(tensor, context)
        }
        guard max(values.count, texts.count) == count else {
            throw ONNXError(
                .invalidTensor,
                "\(context) of shape \(shape) has \(max(values.count, texts.count)) elements")
        }
    }

    /// The element types that are read.
    enum ElementType: Int32 {
        case float = 1
        case int32 = 6
        case int64 = 7
        case string = 8
        case bool = 9
        case double = 11

        var byteCount: Int {
            switch self {
            case .float, .int32: 4
            case .int64, .double: 8
            case .string, .bool: 1
            }
        }
    }

    private static func numbers(
        _ tensor: Onnx_TensorProto, _ context: String
    ) throws(ONNXError) -> [Double] {
        guard let type = ElementType(rawValue: tensor.dataType) else {
            throw ONNXError(
                .invalidTensor,
                "\(context) has element type \(tensor.dataType); float, double, int32, int64, "
                    + "bool and string are read")
        }
        guard tensor.hasRawData else {
            switch type {
            case .float: return tensor.floatData.map(Double.init)
            case .double: return tensor.doubleData
            case .int64: return tensor.int64Data.map(Double.init)
            default: return tensor.int32Data.map(Double.init)
            }
        }
        let bytes = [UInt8](tensor.rawData)
        let size = type.byteCount
        guard bytes.count % size == 0 else {
            throw ONNXError(
                .invalidTensor, "\(context) has \(bytes.count) bytes for elements of \(size)")
        }
        return stride(from: 0, to: bytes.count, by: size).map { start in
            let word = (0..<size).reversed().reduce(UInt64(0)) {
                $0 << 8 | UInt64(bytes[start + $1])
            }
            return switch type {
            case .float: Double(Float(bitPattern: UInt32(truncatingIfNeeded: word)))
            case .double: Double(bitPattern: word)
            case .int32: Double(Int32(truncatingIfNeeded: word))
            case .int64: Double(Int64(bitPattern: word))
            case .string, .bool: Double(word)
            }
        }
    }
}
