internal import MillraceInput

/// Shows bytes from a file in a message without letting them do anything to a terminal.
enum QuotedText {
    /// The first 40 characters of `text` in quotes; what cannot be printed is escaped.
    static func quote(_ text: Span<UInt8>) -> String {
        guard let string = ValidText.string(text) else {
            let bytes = text.indices.prefix(40).map { index -> String in
                (0x20..<0x7F).contains(text[index])
                    ? String(Unicode.Scalar(text[index])) : escape(text[index])
            }
            return "'\(bytes.joined())'" + (text.count > 40 ? "..." : "")
        }
        let shown = string.prefix(40).unicodeScalars.map { scalar -> String in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
                String(scalar).utf8.map(escape).joined()
            default: String(scalar)
            }
        }
        return "'\(shown.joined())'" + (string.count > 40 ? "..." : "")
    }

    private static func escape(_ byte: UInt8) -> String {
        "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
