internal import FoundationEssentials
internal import MillraceInput

/// The text of a manifest, its golden rows apart from the rest.
///
/// They are most of its bytes, and Foundation's decoder takes more time for their numbers than
/// everything else that a load does.
struct ManifestText {
    /// The text with an empty object in the place of the golden rows.
    private let rest: Data
    private let bytes: [UInt8]
    private let goldenRows: Range<Int>?

    /// Finds the golden rows.
    init(_ bytes: [UInt8]) throws(JSONFault) {
        self.bytes = bytes
        var cursor = JSONCursor()
        var found: Range<Int>?
        let text = bytes.span
        let name = Array("golden".utf8)
        try cursor.beginObject(text)
        while let member = try cursor.nextMember(text) {
            let begin = cursor.at
            try cursor.skipValue(text)
            guard JSONCursor.says(text, member, name) else { continue }
            guard found == nil else { throw JSONFault(begin, "golden rows once") }
            found = begin..<cursor.at
        }
        try cursor.end(text)
        goldenRows = found
        guard let found else {
            rest = Data(bytes)
            return
        }
        rest = Data(bytes[..<found.lowerBound]) + Data("{}".utf8) + Data(bytes[found.upperBound...])
    }

    private struct Format: Decodable { let formatVersion: Int }

    /// The version of the manifest's format.
    func formatVersion() throws -> Int {
        try JSONDecoder().decode(Format.self, from: rest).formatVersion
    }

    /// The manifest.
    func manifest() throws -> Manifest {
        let decoder = JSONDecoder()
        if let goldenRows {
            var cursor = JSONCursor()
            let text = bytes.span.extracting(goldenRows)
            do {
                decoder.userInfo[.goldenRows] = try GoldenRows(text, &cursor)
            } catch {
                throw JSONFault(goldenRows.lowerBound + error.position, error.expected)
            }
        }
        return try decoder.decode(Manifest.self, from: rest)
    }
}

extension CodingUserInfoKey {
    /// Golden rows that have been read already.
    static let goldenRows = {
        guard let key = CodingUserInfoKey(rawValue: "goldenRows") else {
            preconditionFailure("any text is a key")
        }
        return key
    }()
}

extension GoldenRows {
    /// The rows that `ManifestText` has read; for other texts, those that the decoder finds.
    public init(from decoder: any Decoder) throws {
        if let rows = decoder.userInfo[.goldenRows] as? GoldenRows {
            self = rows
            return
        }
        let members = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            rows: try members.decode([[Float?]].self, forKey: .rows),
            outputs: try members.decode([[Double]].self, forKey: .outputs),
            tolerance: try members.decode(Double.self, forKey: .tolerance))
    }

    /// Reads an object with these members; others are passed over.
    init(_ text: Span<UInt8>, _ cursor: inout JSONCursor) throws(JSONFault) {
        var rows: [[Float?]]?
        var outputs: [[Double]]?
        var tolerance: Double?
        try cursor.beginObject(text)
        while let member = try cursor.nextMember(text) {
            if JSONCursor.says(text, member, Array("rows".utf8)) {
                rows = try Self.array(text, &cursor) { text, cursor throws(JSONFault) in
                    try Self.array(text, &cursor, Self.feature)
                }
            } else if JSONCursor.says(text, member, Array("outputs".utf8)) {
                outputs = try Self.array(text, &cursor) { text, cursor throws(JSONFault) in
                    try Self.array(text, &cursor, Self.number)
                }
            } else if JSONCursor.says(text, member, Array("tolerance".utf8)) {
                tolerance = try Self.number(text, &cursor)
            } else {
                try cursor.skipValue(text)
            }
        }
        guard let rows, let outputs, let tolerance else {
            throw JSONFault(cursor.at, "\"rows\", \"outputs\" and \"tolerance\" of golden rows")
        }
        self.init(rows: rows, outputs: outputs, tolerance: tolerance)
    }

    private static func array<Element>(
        _ text: Span<UInt8>, _ cursor: inout JSONCursor,
        _ read: (Span<UInt8>, inout JSONCursor) throws(JSONFault) -> Element
    ) throws(JSONFault) -> [Element] {
        var elements: [Element] = []
        try cursor.beginArray(text)
        while try cursor.nextElement(text) { elements.append(try read(text, &cursor)) }
        return elements
    }

    private static func feature(
        _ text: Span<UInt8>, _ cursor: inout JSONCursor
    ) throws(JSONFault) -> Float? {
        if try cursor.takeNull(text) { return nil }
        let place = try cursor.number(text)
        guard let value = NumberParser.float(text.extracting(place)), value.isFinite else {
            throw JSONFault(place.lowerBound, "a float32")
        }
        return value
    }

    private static func number(
        _ text: Span<UInt8>, _ cursor: inout JSONCursor
    ) throws(JSONFault) -> Double {
        let place = try cursor.number(text)
        guard let value = NumberParser.double(text.extracting(place)), value.isFinite else {
            throw JSONFault(place.lowerBound, "a number within the range of a double")
        }
        return value
    }
}
