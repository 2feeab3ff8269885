internal import MillraceInput

/// Lines of JSON: any value for rows of bytes, an object with `features` for rows of features.
final class JSONRowDecoder: RowDecoder {
    let takesEmptyLines = false
    private let width: Int
    private let key: [UInt8]?
    private let label: [UInt8]?
    private let features = Array("features".utf8)
    private var cursor = JSONCursor()
    private var scratch: [UInt8] = []

    init(options: ProduceOptions, width: Int, hasLabels: Bool) {
        self.width = width
        key = options.key.map { Array($0.utf8) } ?? (width == 0 ? nil : Array("key".utf8))
        label = hasLabels ? Array((options.label ?? "label").utf8) : nil
    }

    func decode(_ text: Span<UInt8>, into row: inout DecodedRow) throws(RowFault) {
        cursor = JSONCursor()
        do throws(JSONFault) {
            if width == 0, key == nil {
                try cursor.skipValue(text)
            } else {
                try readObject(text, &row)
            }
            try cursor.end(text)
        } catch {
            throw RowFault(error.position + 1, "expected \(error.expected)")
        }
    }

    private func readObject(_ text: Span<UInt8>, _ row: inout DecodedRow) throws(JSONFault) {
        var hasFeatures = width == 0
        try cursor.beginObject(text)
        while let name = try cursor.nextMember(text) {
            if width > 0, JSONCursor.says(text, name, features) {
                try cursor.features(text, into: &row.features)
                hasFeatures = true
            } else if let label, JSONCursor.says(text, name, label) {
                row.label = try cursor.float(text)
            } else if let key, JSONCursor.says(text, name, key) {
                try readKey(text, &row)
            } else {
                try cursor.skipValue(text)
            }
        }
        guard hasFeatures else { throw JSONFault(text.count, "a member \"features\"") }
    }

    /// A string, or a number as it is written; `null` is none.
    private func readKey(_ text: Span<UInt8>, _ row: inout DecodedRow) throws(JSONFault) {
        row.key.removeAll(keepingCapacity: true)
        row.hasKey = try !cursor.takeNull(text)
        guard row.hasKey else { return }
        if cursor.peek(text) == UInt8(ascii: "\"") {
            JSONCursor.unescape(text, try cursor.string(text), into: &row.key)
        } else {
            for index in try cursor.number(text) { row.key.append(text[index]) }
        }
    }
}
