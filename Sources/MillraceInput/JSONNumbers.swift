extension JSONCursor {
    /// Reads a number, `null` for a missing one, or a word for one that JSON cannot write.
    package mutating func float(_ text: Span<UInt8>) throws(JSONFault) -> Float {
        if try takeNull(text) { return .nan }
        guard peek(text) == UInt8(ascii: "\"") else {
            let range = try number(text)
            return NumberParser.float(text.extracting(range)) ?? .nan
        }
        let begin = at
        let range = try string(text)
        guard let value = SpecialNumber.value(text.extracting(range)) else {
            throw JSONFault(begin, "a number, null, \"inf\" or \"-inf\"")
        }
        return value
    }

    /// Reads an array of as many numbers as `row` has.
    package mutating func features(
        _ text: Span<UInt8>, into row: inout [Float]
    ) throws(JSONFault) {
        _ = peek(text)
        let begin = at
        var count = 0
        try beginArray(text)
        while try nextElement(text) {
            let value = try float(text)
            if count < row.count { row[count] = value }
            count += 1
        }
        guard count == row.count else {
            throw JSONFault(begin, "\(row.count) features, not \(count)")
        }
    }
}

/// Numbers in text that have no digits.
package enum SpecialNumber {
    private static let words: [(word: [UInt8], value: Float)] = [
        (Array("nan".utf8), .nan), (Array("NaN".utf8), .nan), (Array("inf".utf8), .infinity),
        (Array("-inf".utf8), -.infinity),
    ]

    /// What `nan`, `inf` or `-inf` says; nil for any other text.
    package static func value(_ text: Span<UInt8>) -> Float? {
        guard text.count <= 4 else { return nil }
        return words.first { word, _ in
            word.count == text.count && word.indices.allSatisfy { word[$0] == text[$0] }
        }?.value
    }
}
