/// Why a text is not the JSON that it has to be, and where.
package struct JSONFault: Error, Equatable {
    /// The byte at which something else had to be, from 0.
    package let position: Int
    /// What had to be there.
    package let expected: String

    package init(_ position: Int, _ expected: String) {
        self.position = position
        self.expected = expected
    }
}

/// Reads a JSON text from front to back, value by value, without building anything.
///
/// Written by hand because Foundation's decoder does not say where in a text it is wrong. The text is
/// given to each call; the cursor keeps the place alone. Lone surrogates in `\u` become U+FFFD, and
/// bytes in strings are not checked for being UTF-8.
/// **Allocation**: none, but for strings that the caller asks for.
///
/// - Source: RFC 8259.
package struct JSONCursor {
    /// The byte that is read next.
    package private(set) var at = 0

    private static let deepest = 128

    package init() {}

    // MARK: Structure

    /// Begins an object.
    package mutating func beginObject(_ text: Span<UInt8>) throws(JSONFault) {
        try take(Self.openBrace, text, "a JSON object")
        isFirst = true
    }

    /// Goes to the next member; returns where its name stands between the quotes, nil at the end of
    /// the object.
    ///
    /// The member's value has to be read before the next call.
    package mutating func nextMember(_ text: Span<UInt8>) throws(JSONFault) -> Range<Int>? {
        guard try nextItem(Self.closeBrace, text, "\",\" or \"}\"") else { return nil }
        let name = try string(text, "the name of a member")
        try take(Self.colon, text, "\":\"")
        return name
    }

    /// Begins an array.
    package mutating func beginArray(_ text: Span<UInt8>) throws(JSONFault) {
        try take(Self.openBracket, text, "an array")
        isFirst = true
    }

    /// Whether the array has one more element, which has to be read before the next call.
    package mutating func nextElement(_ text: Span<UInt8>) throws(JSONFault) -> Bool {
        try nextItem(Self.closeBracket, text, "\",\" or \"]\"")
    }

    /// Makes sure that nothing but white space is left.
    package mutating func end(_ text: Span<UInt8>) throws(JSONFault) {
        skipSpace(text)
        guard at == text.count else { throw JSONFault(at, "the end of the line") }
    }

    /// Whether no item of the innermost object or array has been read.
    private var isFirst = false

    private mutating func nextItem(
        _ close: UInt8, _ text: Span<UInt8>, _ expected: String
    ) throws(JSONFault) -> Bool {
        skipSpace(text)
        let byte = at < text.count ? text[at] : 0
        if byte == close {
            at += 1
            isFirst = false
            return false
        }
        if isFirst {
            isFirst = false
            return true
        }
        guard byte == Self.comma else { throw JSONFault(at, expected) }
        at += 1
        return true
    }

    // MARK: Values

    /// The byte with which the next value begins; 0 at the end of the text.
    package mutating func peek(_ text: Span<UInt8>) -> UInt8 {
        skipSpace(text)
        return at < text.count ? text[at] : 0
    }

    /// Takes `null`; false where the next value is another.
    package mutating func takeNull(_ text: Span<UInt8>) throws(JSONFault) -> Bool {
        guard peek(text) == UInt8(ascii: "n") else { return false }
        try word("null", text)
        return true
    }

    /// Reads a number; returns where it stands.
    package mutating func number(_ text: Span<UInt8>) throws(JSONFault) -> Range<Int> {
        skipSpace(text)
        let begin = at
        if at < text.count, text[at] == Self.minus { at += 1 }
        let whole = at
        guard digits(text) else { throw JSONFault(begin, "a number") }
        if text[whole] == Self.zero, at > whole + 1 {
            throw JSONFault(whole, "a number without leading zeros")
        }
        if at < text.count, text[at] == Self.point {
            at += 1
            guard digits(text) else { throw JSONFault(at, "a digit") }
        }
        if at < text.count, text[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < text.count, text[at] == Self.minus || text[at] == UInt8(ascii: "+") { at += 1 }
            guard digits(text) else { throw JSONFault(at, "a digit") }
        }
        return begin..<at
    }

    /// Reads a string; returns where it stands between the quotes, escapes and all.
    package mutating func string(
        _ text: Span<UInt8>, _ expected: String = "a string"
    ) throws(JSONFault) -> Range<Int> {
        try take(Self.quote, text, expected)
        let begin = at
        while at < text.count {
            let byte = text[at]
            if byte == Self.quote {
                at += 1
                return begin..<at - 1
            }
            guard byte >= 0x20 else { throw JSONFault(at, "no control character in a string") }
            if byte == Self.backslash { try skipEscape(text) } else { at += 1 }
        }
        throw JSONFault(at, "the end of a string")
    }

    /// Reads any value and forgets it.
    package mutating func skipValue(_ text: Span<UInt8>) throws(JSONFault) {
        try skipValue(text, depth: 0)
    }

    private mutating func skipValue(_ text: Span<UInt8>, depth: Int) throws(JSONFault) {
        guard depth < Self.deepest else {
            throw JSONFault(at, "values within at most \(Self.deepest) others")
        }
        switch peek(text) {
        case Self.openBrace:
            try beginObject(text)
            while try nextMember(text) != nil { try skipValue(text, depth: depth + 1) }
        case Self.openBracket:
            try beginArray(text)
            while try nextElement(text) { try skipValue(text, depth: depth + 1) }
        case Self.quote: _ = try string(text)
        case UInt8(ascii: "t"): try word("true", text)
        case UInt8(ascii: "f"): try word("false", text)
        case UInt8(ascii: "n"): try word("null", text)
        case Self.minus, Self.zero...UInt8(ascii: "9"): _ = try number(text)
        default: throw JSONFault(at, "a value")
        }
    }

    // MARK: Parts

    private mutating func skipSpace(_ text: Span<UInt8>) {
        while at < text.count {
            guard text[at] == 0x20 || (0x09...0x0D).contains(text[at]) else { return }
            guard text[at] != 0x0B, text[at] != 0x0C else { return }
            at += 1
        }
    }

    private mutating func take(
        _ byte: UInt8, _ text: Span<UInt8>, _ expected: String
    ) throws(JSONFault) {
        skipSpace(text)
        guard at < text.count, text[at] == byte else { throw JSONFault(at, expected) }
        at += 1
    }

    private mutating func digits(_ text: Span<UInt8>) -> Bool {
        let begin = at
        while at < text.count, text[at] &- Self.zero <= 9 { at += 1 }
        return at > begin
    }

    private mutating func word(_ word: StaticString, _ text: Span<UInt8>) throws(JSONFault) {
        let begin = at
        for byte in "\(word)".utf8 {
            guard at < text.count, text[at] == byte else { throw JSONFault(begin, "\(word)") }
            at += 1
        }
    }

    private mutating func skipEscape(_ text: Span<UInt8>) throws(JSONFault) {
        let begin = at
        at += 1
        let kind = at < text.count ? text[at] : 0
        at += 1
        guard kind == UInt8(ascii: "u") else {
            guard "\"\\/bfnrt".utf8.contains(kind) else { throw JSONFault(begin, "an escape") }
            return
        }
        for _ in 0..<4 {
            guard at < text.count, Self.hexadecimal(text[at]) != nil else {
                throw JSONFault(begin, "four hexadecimal digits behind \\u")
            }
            at += 1
        }
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x30...0x39: UInt32(byte - 0x30)
        case 0x41...0x46: UInt32(byte - 0x41 + 10)
        case 0x61...0x66: UInt32(byte - 0x61 + 10)
        default: nil
        }
    }

    private static let openBrace = UInt8(ascii: "{")
    private static let closeBrace = UInt8(ascii: "}")
    private static let openBracket = UInt8(ascii: "[")
    private static let closeBracket = UInt8(ascii: "]")
    private static let comma = UInt8(ascii: ",")
    private static let colon = UInt8(ascii: ":")
    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")
    private static let minus = UInt8(ascii: "-")
    private static let point = UInt8(ascii: ".")
    private static let zero = UInt8(ascii: "0")
}

extension JSONCursor {
    /// Appends what a string that stands at `range` says, its escapes resolved.
    package static func unescape(
        _ text: Span<UInt8>, _ range: Range<Int>, into value: inout [UInt8]
    ) {
        var at = range.lowerBound
        while at < range.upperBound {
            guard text[at] == backslash else {
                value.append(text[at])
                at += 1
                continue
            }
            let kind = text[at + 1]
            at += 2
            switch kind {
            case UInt8(ascii: "b"): value.append(0x08)
            case UInt8(ascii: "f"): value.append(0x0C)
            case UInt8(ascii: "n"): value.append(0x0A)
            case UInt8(ascii: "r"): value.append(0x0D)
            case UInt8(ascii: "t"): value.append(0x09)
            case UInt8(ascii: "u"): value += utf8(of: scalar(text, &at, range.upperBound))
            default: value.append(kind)
            }
        }
    }

    /// The four digits at `at`, and those of the surrogate that may follow.
    private static func scalar(
        _ text: Span<UInt8>, _ at: inout Int, _ end: Int
    ) -> Unicode.Scalar {
        let first = unit(text, &at)
        guard (0xD800..<0xDC00).contains(first), at + 6 <= end, text[at] == backslash,
            text[at + 1] == UInt8(ascii: "u")
        else { return Unicode.Scalar(first) ?? "\u{FFFD}" }
        var next = at + 2
        let second = unit(text, &next)
        guard (0xDC00..<0xE000).contains(second) else { return "\u{FFFD}" }
        at = next
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
    }

    private static func unit(_ text: Span<UInt8>, _ at: inout Int) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            value = value << 4 | (hexadecimal(text[at]) ?? 0)
            at += 1
        }
        return value
    }

    private static func utf8(of scalar: Unicode.Scalar) -> [UInt8] {
        Array(String(scalar).utf8)
    }

    /// Whether the string that stands at `range` says `name`.
    package static func says(
        _ text: Span<UInt8>, _ range: Range<Int>, _ name: [UInt8]
    ) -> Bool {
        var isPlain = true
        for index in range where text[index] == backslash { isPlain = false }
        guard isPlain else {
            var value: [UInt8] = []
            unescape(text, range, into: &value)
            return value == name
        }
        guard range.count == name.count else { return false }
        for (offset, byte) in name.enumerated() where text[range.lowerBound + offset] != byte {
            return false
        }
        return true
    }
}
