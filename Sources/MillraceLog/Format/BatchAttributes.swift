/// How a batch's payload is stored.
public enum Codec: String, Sendable, Codable, CaseIterable {
    /// As it is: readers use it in place in the mapping.
    case none
    /// One LZ4 block.
    case lz4

    var bits: UInt32 { self == .none ? 0 : 1 }
}

/// What is done to a batch's matrix before it is compressed.
public enum Filter: String, Sendable, Codable, CaseIterable {
    /// Nothing.
    case none
    /// Byte-stream split: the first bytes of all elements, then the second ones, and so on.
    ///
    /// Bytes of one place resemble each other more than those of one number do, in some data.
    ///
    /// - Source: Apache Parquet, Encodings.md, "Byte Stream Split".
    case split

    var bits: UInt32 { self == .none ? 0 : 1 << 4 }
}

/// The 32 attribute bits of a batch header.
///
/// | Bits | Meaning |
/// | --- | --- |
/// | 0-3 | codec: 0 none, 1 LZ4 block |
/// | 4-7 | filter: 0 none, 1 byte-stream split of the matrix |
/// | 8 | labels section |
/// | 9 | marks section |
/// | 10 | source-deltas section |
/// | 11 | drops section |
/// | 12 | values section |
/// | 13 | origin extension in the header |
/// | 14 | timestamps section |
/// | 15 | key sections |
/// | 16 | header sections |
struct BatchAttributes: Equatable, Sendable {
    var bits: UInt32 = 0

    static let labels: UInt32 = 1 << 8
    static let marks: UInt32 = 1 << 9
    static let deltas: UInt32 = 1 << 10
    static let drops: UInt32 = 1 << 11
    static let values: UInt32 = 1 << 12
    static let origin: UInt32 = 1 << 13
    static let timestamps: UInt32 = 1 << 14
    static let keys: UInt32 = 1 << 15
    static let headers: UInt32 = 1 << 16
    /// What lies in the payload behind the matrix.
    static let sections: UInt32 =
        labels | marks | deltas | drops | values | timestamps | keys | headers
    static let known: UInt32 = 0x11 | sections | origin

    /// Whether a section's length stands in the payload instead of the header.
    var hasUnknownLength: Bool { has(Self.values | Self.keys | Self.headers) }

    func has(_ bit: UInt32) -> Bool { bits & bit != 0 }

    mutating func set(_ bit: UInt32, _ on: Bool) { bits = on ? bits | bit : bits & ~bit }

    var codec: Codec {
        get { bits & 0xF == 0 ? .none : .lz4 }
        set { bits = bits & ~0xF | newValue.bits }
    }

    var filter: Filter {
        get { bits & 0xF0 == 0 ? .none : .split }
        set { bits = bits & ~0xF0 | newValue.bits }
    }
}
