internal import MillraceSystem

/// How a feature is stored.
public enum ElementType: String, Sendable, Codable, CaseIterable {
    /// IEEE 754 binary32, little-endian: used in place.
    case float32
    /// IEEE 754 binary16.
    case float16
    /// The upper half of a float32.
    case bfloat16
    /// An unsigned byte, with the topic's scale and zero point.
    case uint8
    /// A signed byte, with the topic's scale and zero point.
    case int8

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .float32: 4
        case .float16, .bfloat16: 2
        case .uint8, .int8: 1
        }
    }

    /// The zero points that the type can have; floating-point types have none but 0.
    var zeroPoints: ClosedRange<Int> {
        switch self {
        case .float32, .float16, .bfloat16: 0...0
        case .uint8: 0...255
        case .int8: -128...127
        }
    }

    /// The number that stands for the type in a batch header; 0 is no type.
    var code: UInt8 {
        switch self {
        case .float32: 1
        case .float16: 2
        case .bfloat16: 3
        case .uint8: 4
        case .int8: 5
        }
    }

    init?(code: UInt8) {
        switch code {
        case 1: self = .float32
        case 2: self = .float16
        case 3: self = .bfloat16
        case 4: self = .uint8
        case 5: self = .int8
        default: return nil
        }
    }

    /// The type for the conversion kernels; nil for float32, which needs none.
    var narrow: NarrowElement? { NarrowElement(rawValue: Int32(code)) }
}

/// How stored elements of a topic become float32: `(stored - zeroPoint) * scale`.
///
/// Scale and zero point have a meaning for `uint8` and `int8` only.
public struct ElementDecoding: Sendable, Equatable {
    /// The topic's element type.
    public var type: ElementType
    /// What one step of the stored integer is worth; finite and above 0.
    public var scale: Float
    /// The stored integer that stands for 0.
    public var zeroPoint: Int

    /// A decoding; by default of float32.
    public init(type: ElementType = .float32, scale: Float = 1, zeroPoint: Int = 0) {
        self.type = type
        self.scale = scale
        self.zeroPoint = zeroPoint
    }
}
