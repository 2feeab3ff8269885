/// One value of a pipeline file with its place in the text.
///
/// Scalars stay text until a key says what type it wants, so `1e3`, `on` and `"7"` mean what the
/// key means and nothing is guessed. Only a plain (unquoted) `null`, `~` or nothing is null.
struct YAMLValue: Sendable {
    enum Content: Sendable {
        case null
        /// A scalar; `quoted` tells `"7"` from `7`.
        case scalar(String, quoted: Bool)
        case list([YAMLValue])
        case map([Entry])
    }

    struct Entry: Sendable {
        var key: String
        var keyPosition: SourcePosition
        var value: YAMLValue
    }

    var content: Content
    var position: SourcePosition

    /// What the value is, in the words of an error message.
    var found: String {
        switch content {
        case .null: "nothing"
        case .scalar(let text, let quoted):
            quoted ? "the text \(quote(text))" : "\(quote(text))"
        case .list: "a list"
        case .map: "a mapping"
        }
    }
}

/// The longest piece of a user's text that an error message repeats, in characters.
private let longestQuotedText = 60

/// Text between quotation marks, cut to a readable length and kept on one line.
func quote(_ text: String) -> String {
    var shown = "\""
    for character in text.prefix(longestQuotedText).unicodeScalars {
        switch character {
        case "\"", "\\": shown += "\\" + String(character)
        case "\n": shown += "\\n"
        case "\t": shown += "\\t"
        case _ where character.properties.generalCategory == .control:
            shown += "\\u{" + String(character.value, radix: 16) + "}"
        default: shown.unicodeScalars.append(character)
        }
    }
    return shown + (text.count > longestQuotedText ? "…\"" : "\"")
}
