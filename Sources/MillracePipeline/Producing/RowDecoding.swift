/// Why a line is not a row, and where.
struct RowFault: Error, Equatable {
    /// The byte of the line, from 1.
    let column: Int
    let message: String

    init(_ column: Int, _ message: String) {
        self.column = column
        self.message = message
    }
}

/// What a line says, beside its text.
struct DecodedRow {
    /// The numbers of a row of features.
    var features: [Float]
    /// NaN where the row has none.
    var label = Float.nan
    var key: [UInt8] = []
    var hasKey = false

    mutating func forget() {
        label = .nan
        hasKey = false
        key.removeAll(keepingCapacity: true)
    }
}

/// Turns lines, or records, into rows.
///
/// **Thread-safety**: one owner.
protocol RowDecoder: AnyObject {
    /// Whether an empty line is a row.
    var takesEmptyLines: Bool { get }

    /// Reads a line; every number of `row.features` is set.
    func decode(_ text: Span<UInt8>, into row: inout DecodedRow) throws(RowFault)
}

/// Lines that are rows of bytes, whatever they say.
final class LineDecoder: RowDecoder {
    let takesEmptyLines = true

    func decode(_ text: Span<UInt8>, into row: inout DecodedRow) throws(RowFault) {}
}

/// Records of float32 numbers, the label last where there is one.
final class FloatDecoder: RowDecoder {
    let takesEmptyLines = false
    private let hasLabel: Bool

    init(hasLabel: Bool) { self.hasLabel = hasLabel }

    func decode(_ text: Span<UInt8>, into row: inout DecodedRow) throws(RowFault) {
        for index in row.features.indices { row.features[index] = Self.number(text, index) }
        if hasLabel { row.label = Self.number(text, row.features.count) }
    }

    private static func number(_ text: Span<UInt8>, _ index: Int) -> Float {
        var bits: UInt32 = 0
        for byte in (0..<4).reversed() { bits = bits << 8 | UInt32(text[4 * index + byte]) }
        return Float(bitPattern: bits)
    }
}
