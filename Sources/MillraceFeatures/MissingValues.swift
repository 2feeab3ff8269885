/// Tells missing values from others.
struct MissingValues: Sendable {
    private let isEmptyMissing: Bool
    private let others: TextTable

    init(_ texts: [String]) {
        isEmptyMissing = texts.contains("")
        others = TextTable(texts.filter { !$0.isEmpty })
    }

    /// Whether `text` is one of the texts that mean that a value is missing.
    func contains(_ text: Span<UInt8>) -> Bool {
        if text.isEmpty { return isEmptyMissing }
        for index in 0..<others.count where others.matches(text, at: index) { return true }
        return false
    }
}
