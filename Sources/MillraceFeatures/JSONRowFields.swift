internal import MillraceInput

/// Finds the members of one JSON object that have the names of columns.
struct JSONRowFields: Sendable {
    private struct Place {
        var range = 0..<0
        var isThere = false
        var hasEscapes = false
    }

    private let names: Vocabulary
    private let areNeeded: [Bool]
    private var places: [Place]
    private var name: [UInt8] = []
    private(set) var needUnescaping = false
    /// The name of the member that is no column and whose array ends the search; nil for none.
    private let arrayName: [UInt8]?
    /// Whether the last object has such an array.
    private(set) var hasArray = false

    /// - Parameters:
    ///   - needed: The columns whose values are looked at; members that are others are passed over,
    ///     whatever they hold.
    ///   - arrayName: The name of a member whose array makes an object something else than a row.
    init(_ columns: [String], needed: Set<String>, arrayName: String? = nil) {
        self.arrayName = arrayName.flatMap { columns.contains($0) ? nil : Array($0.utf8) }
        names = Vocabulary(columns)
        areNeeded = columns.map(needed.contains)
        places = [Place](repeating: Place(), count: columns.count)
    }

    /// Where the value of a column stands; nil where it is missing.
    @inline(__always)
    subscript(column: Int) -> Range<Int>? {
        places[column].isThere ? places[column].range : nil
    }

    /// Finds the values in `line`; returns what is wrong with it, or nil.
    mutating func split(_ line: Span<UInt8>) -> RowFields.Fault? {
        for index in places.indices { places[index] = Place() }
        needUnescaping = false
        hasArray = false
        do throws(JSONFault) {
            return try read(line)
        } catch {
            return RowFields.Fault(reason: .malformedJSON, column: -1)
        }
    }

    private mutating func read(_ line: Span<UInt8>) throws(JSONFault) -> RowFields.Fault? {
        var cursor = JSONCursor()
        try cursor.beginObject(line)
        while let member = try cursor.nextMember(line) {
            guard let column = column(named: member, line), areNeeded[column] else {
                if let arrayName, JSONCursor.says(line, member, arrayName),
                    cursor.peek(line) == UInt8(ascii: "[")
                {
                    hasArray = true
                    return RowFields.Fault(reason: .nestedValue, column: -1)
                }
                try cursor.skipValue(line)
                continue
            }
            switch cursor.peek(line) {
            case UInt8(ascii: "\""):
                let range = try cursor.string(line)
                var place = Place(range: range, isThere: true)
                for index in range where line[index] == UInt8(ascii: "\\") {
                    place.hasEscapes = true
                }
                places[column] = place
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                return RowFields.Fault(reason: .nestedValue, column: column)
            default:
                if try cursor.takeNull(line) {
                    places[column] = Place()
                } else {
                    let begin = cursor.at
                    try cursor.skipValue(line)
                    places[column] = Place(range: begin..<cursor.at, isThere: true)
                }
            }
        }
        try cursor.end(line)
        needUnescaping = places.contains { $0.hasEscapes }
        return nil
    }

    private mutating func column(named range: Range<Int>, _ line: Span<UInt8>) -> Int? {
        for index in range where line[index] == UInt8(ascii: "\\") {
            name.removeAll(keepingCapacity: true)
            JSONCursor.unescape(line, range, into: &name)
            return names.index(of: name.span)
        }
        return names.index(of: line.extracting(range))
    }

    /// Copies the values into `text`, escapes resolved; from then on ranges refer to it.
    mutating func unescape(_ line: Span<UInt8>, into text: inout [UInt8]) {
        text.removeAll(keepingCapacity: true)
        for index in places.indices where places[index].isThere {
            let begin = text.count
            let range = places[index].range
            if places[index].hasEscapes {
                JSONCursor.unescape(line, range, into: &text)
            } else {
                for position in range { text.append(line[position]) }
            }
            places[index] = Place(range: begin..<text.count, isThere: true)
        }
        needUnescaping = false
    }
}
