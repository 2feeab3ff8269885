/// Reads truth values.
enum BooleanText {
    private static let words = TextTable([
        "true", "t", "yes", "y", "on", "1", "false", "f", "no", "n", "off", "0",
    ])

    /// 1 or 0 for the words that `NumberFormat.boolean` names; nil for others.
    static func value(_ text: Span<UInt8>) -> Double? {
        for index in 0..<words.count where words.matches(ignoringCase: text, at: index) {
            return index < 6 ? 1 : 0
        }
        return nil
    }
}
