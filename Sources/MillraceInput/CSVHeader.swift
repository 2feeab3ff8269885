/// The names of a CSV file's columns: none is empty, none occurs twice.
public struct CSVHeader: Sendable, Equatable {
    /// The names, in order.
    public let names: [String]

    /// Takes names as they are.
    ///
    /// - Throws: `InputError` with the code `invalidHeader`.
    public init(names: [String], path: String = "-") throws(InputError) {
        var positions: [String: Int] = [:]
        for (index, name) in names.enumerated() {
            if name.isEmpty {
                throw Self.invalid(path, "a name for each column", "none for column \(index + 1)")
            }
            if let first = positions.updateValue(index, forKey: name) {
                throw Self.invalid(
                    path, "different names",
                    "'\(name)' for columns \(first + 1) and \(index + 1)")
            }
        }
        self.names = names
    }

    /// Reads the names from a file's header line.
    ///
    /// - Throws: `InputError` with the code `invalidHeader`.
    public init(line: Span<UInt8>, path: String) throws(InputError) {
        var fields = CSVFields()
        var text: [UInt8] = []
        do {
            try fields.split(line)
        } catch {
            throw Self.invalid(
                path, "column names separated by commas",
                error == .unclosedQuote ? "a quote that is not closed" : "text after a quote")
        }
        fields.unescape(line, into: &text)
        var names: [String] = []
        for index in 0..<fields.count {
            guard let name = ValidText.string(text.span.extracting(fields[index].range)) else {
                throw Self.invalid(path, "UTF-8", "other bytes in name \(index + 1)")
            }
            names.append(name)
        }
        try self.init(names: names, path: path)
    }

    /// Takes the names of the members of a JSON object, which is a file's first line.
    ///
    /// - Throws: `InputError` with the code `invalidHeader`.
    package init(firstObject line: Span<UInt8>, path: String) throws(InputError) {
        var names: [String] = []
        var cursor = JSONCursor()
        let fault: JSONFault?
        do throws(JSONFault) {
            try cursor.beginObject(line)
            while let member = try cursor.nextMember(line) {
                var name: [UInt8] = []
                JSONCursor.unescape(line, member, into: &name)
                names.append(String(decoding: name, as: UTF8.self))
                try cursor.skipValue(line)
            }
            try cursor.end(line)
            fault = nil
        } catch {
            fault = error
        }
        if let fault {
            throw Self.invalid(
                path, "a JSON object", "no \(fault.expected) at byte \(fault.position + 1)")
        }
        try self.init(names: names, path: path)
    }

    /// The position of the column called `name`.
    ///
    /// - Complexity: O(columns).
    public func index(of name: String) -> Int? { names.firstIndex(of: name) }

    private static func invalid(_ path: String, _ expected: String, _ found: String) -> InputError {
        InputError(.invalidHeader, path: path, line: 1, expected: expected, found: found)
    }
}
