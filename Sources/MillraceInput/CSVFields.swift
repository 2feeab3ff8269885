/// One field of a line: where its value stands, the enclosing quotes left out.
public struct CSVField: Sendable, Equatable {
    /// The value's bytes in the line.
    public let range: Range<Int>
    /// Whether the value holds doubled quotes, each of which stands for one.
    public let hasDoubledQuotes: Bool

    @usableFromInline
    init(range: Range<Int>, hasDoubledQuotes: Bool) {
        self.range = range
        self.hasDoubledQuotes = hasDoubledQuotes
    }

    /// Appends the value that stands in `line`, doubled quotes made single.
    package func append(from line: Span<UInt8>, to value: inout [UInt8]) {
        var at = range.lowerBound
        while at < range.upperBound {
            value.append(line[at])
            at += hasDoubledQuotes && line[at] == UInt8(ascii: "\"") ? 2 : 1
        }
    }
}

/// Why a line is not CSV.
public enum CSVFault: Error, Sendable, Equatable {
    /// A quoted field does not end. Fields with line breaks inside look like this too.
    case unclosedQuote
    /// A closing quote is followed by something other than a separator.
    case textAfterQuote
}

/// Splits lines into fields, reusing its memory from line to line.
///
/// A field that begins with `"` ends at the closing quote; inside, `""` is one quote and separators
/// are text. Elsewhere a quote is an ordinary character and spaces belong to the value. A record is
/// one line: quoted line breaks are not supported. An empty line is one empty field.
///
/// **Allocation**: none once a line with as many fields has been split.
///
/// - Source: RFC 4180, section 2, but for rule 6's line breaks.
public struct CSVFields: Sendable {
    /// Of a line without quotes, -1, the places of the separators, and the end.
    @usableFromInline
    var places = [Int32](repeating: -1, count: 18)
    /// The fields of a line with quotes, and room for more.
    @usableFromInline
    var fields: [CSVField] = []
    /// Whether `places` tell about the last line, not `fields`.
    @usableFromInline
    var isPlain = true
    /// How many fields the last line has.
    public private(set) var count = 0
    /// Whether a field of the last line has to be unescaped before its bytes are its value.
    public private(set) var needUnescaping = false
    /// Whether all bytes of the last line are below 0x80.
    package private(set) var isASCII = true
    private let separator: UInt8

    /// A splitter for fields between separators, an ASCII character.
    public init(separator: UInt8 = 0x2C) {
        precondition(separator < 0x80 && separator != Self.quote, "no separator for fields")
        self.separator = separator
    }

    private static let quote: UInt8 = 0x22

    /// A field of the last line.
    @inlinable
    public subscript(index: Int) -> CSVField {
        precondition(index < count, "the line has no such field")
        guard isPlain else { return fields[index] }
        return CSVField(
            range: Int(places[index]) + 1..<Int(places[index + 1]), hasDoubledQuotes: false)
    }

    /// Splits `line`.
    ///
    /// - Throws: `CSVFault`; the fields before the fault, `count` of them, can still be read.
    /// - Complexity: O(line).
    public mutating func split(_ line: Span<UInt8>) throws(CSVFault) {
        needUnescaping = false
        isPlain = false
        if line.count <= Int32.max {
            isPlain = findPlaces(in: line)
            if isPlain { return }
        } else {
            isASCII = false
        }
        count = 0
        var at = 0
        if fields.isEmpty { reserve(16) }
        while try !splitAsRoomAllows(line, from: &at) {
            reserve(fields.count)
        }
    }

    private mutating func reserve(_ more: Int) {
        fields += repeatElement(CSVField(range: 0..<0, hasDoubledQuotes: false), count: more)
    }

    /// Takes all fields of a line without quotes; false for other lines.
    private mutating func findPlaces(in line: Span<UInt8>) -> Bool {
        while true {
            var contents = FieldScanner.Contents(hasQuotes: false, hasHighBytes: false)
            let room = places.count - 2
            let separator = self.separator
            let found: Int
            do {
                var all = places.mutableSpan
                var separators = all._mutatingExtracting(1..<1 + room)
                found = FieldScanner.find(separator, in: line, into: &separators, &contents)
            }
            isASCII = !contents.hasHighBytes
            if contents.hasQuotes { return false }
            guard found <= room else {
                places += [Int32](repeating: -1, count: found)
                continue
            }
            places[found + 1] = Int32(line.count)
            count = found + 1
            return true
        }
    }

    /// Takes fields from `at` on; false where the room for them ran out before the line did.
    private mutating func splitAsRoomAllows(
        _ line: Span<UInt8>, from at: inout Int
    ) throws(CSVFault) -> Bool {
        let separator = self.separator
        // Counted here: the span holds on to all of `self`.
        var taken = count
        var hasDoubledQuotes = false
        var room = fields.mutableSpan
        let roomCount = room.count
        let fault: CSVFault?
        var isAtEnd = false
        do throws(CSVFault) {
            while taken < roomCount, !isAtEnd {
                let field = try Self.field(line, from: &at, separator)
                if field.hasDoubledQuotes { hasDoubledQuotes = true }
                room[taken] = field
                taken += 1
                isAtEnd = at == line.count
                at += 1
            }
            fault = nil
        } catch {
            fault = error
        }
        count = taken
        if hasDoubledQuotes { needUnescaping = true }
        if let fault { throw fault }
        return isAtEnd
    }

    /// The field that begins at `at`, which moves to where it ends: a separator or the end.
    @inline(__always)
    private static func field(
        _ line: Span<UInt8>, from at: inout Int, _ separator: UInt8
    ) throws(CSVFault) -> CSVField {
        if at < line.count, line[at] == quote { return try quotedField(line, from: &at, separator) }
        let begin = at
        var end = at
        while end < line.count, line[end] != separator { end += 1 }
        at = end
        return CSVField(range: begin..<end, hasDoubledQuotes: false)
    }

    private static func quotedField(
        _ line: Span<UInt8>, from at: inout Int, _ separator: UInt8
    ) throws(CSVFault) -> CSVField {
        let begin = at + 1
        var end = begin
        var hasDoubledQuotes = false
        while end < line.count {
            guard line[end] == quote else {
                end += 1
                continue
            }
            at = end + 1
            if at < line.count, line[at] == quote {
                hasDoubledQuotes = true
                end += 2
                continue
            }
            guard at == line.count || line[at] == separator else { throw .textAfterQuote }
            return CSVField(range: begin..<end, hasDoubledQuotes: hasDoubledQuotes)
        }
        throw .unclosedQuote
    }

    /// Copies the values of `line`'s fields into `text`, doubled quotes made single; from then on
    /// the fields' ranges refer to `text`, where values follow each other without separators.
    ///
    /// - Complexity: O(line).
    public mutating func unescape(_ line: Span<UInt8>, into text: inout [UInt8]) {
        text.removeAll(keepingCapacity: true)
        if fields.count < count { reserve(count - fields.count) }
        for index in 0..<count {
            let begin = text.count
            self[index].append(from: line, to: &text)
            fields[index] = CSVField(range: begin..<text.count, hasDoubledQuotes: false)
        }
        isPlain = false
        needUnescaping = false
    }
}
