/// How a batch's payload is stored.
public enum Codec: String, Sendable, Codable, CaseIterable {
    /// As it is: readers use it in place in the mapping.
    case none
    /// One LZ4 block.
    case lz4

    var bits: UInt32 { self == .none ? 0 : 1 }
}

/// The 32 attribute bits of a batch header.
///
/// | Bits | Meaning |
/// | --- | --- |
/// | 0-3 | codec: 0 none, 1 LZ4 block |
/// | 4-7 | filter: 0 none |
/// | 8 | labels section |
/// | 9 | marks section |
/// | 10 | source-deltas section |
/// | 11 | drops section |
/// | 12 | values section |
/// | 13 | origin extension in the header |
struct BatchAttributes: Equatable, Sendable {
    var bits: UInt32 = 0

    static let labels: UInt32 = 1 << 8
    static let marks: UInt32 = 1 << 9
    static let deltas: UInt32 = 1 << 10
    static let drops: UInt32 = 1 << 11
    static let values: UInt32 = 1 << 12
    static let origin: UInt32 = 1 << 13
    static let known: UInt32 = 0x1 | labels | marks | deltas | drops | values | origin

    func has(_ bit: UInt32) -> Bool { bits & bit != 0 }

    mutating func set(_ bit: UInt32, _ on: Bool) { bits = on ? bits | bit : bits & ~bit }

    var codec: Codec {
        get { bits & 0xF == 0 ? .none : .lz4 }
        set { bits = bits & ~0xF | newValue.bits }
    }
}
