/// How a piece of text is emphasised, where the terminal shows colours.
enum TerminalStyle: String, Sendable {
    case bold = "1"
    case faint = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case blue = "34"

    /// The text between the codes that switch the style on and off.
    func callAsFunction(_ text: String, when shown: Bool) -> String {
        shown && !text.isEmpty ? "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" : text
    }
}
