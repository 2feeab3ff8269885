internal import MillraceInput

/// Tells missing values from others.
struct MissingValues: Sendable {
    let isEmptyMissing: Bool
    let others: TextTable
    /// Whether one of the texts is a number.
    let includeNumbers: Bool

    init(_ texts: [String]) {
        isEmptyMissing = texts.contains("")
        others = TextTable(texts.filter { !$0.isEmpty })
        includeNumbers = texts.contains { NumberParser.double(Array($0.utf8).span) != nil }
    }

    /// Whether `text` is one of the texts that mean that a value is missing.
    func contains(_ text: Span<UInt8>) -> Bool {
        if text.isEmpty { return isEmptyMissing }
        for index in 0..<others.count where others.matches(text, at: index) { return true }
        return false
    }
}
