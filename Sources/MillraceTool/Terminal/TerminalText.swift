/// Text as a terminal shows it: how wide it is, and cut or padded to a width.
enum TerminalText {
    /// Where a text stands in a wider space.
    enum Alignment: Sendable {
        case leading
        case trailing
    }

    /// The columns that a text takes: two for wide characters, none for marks that combine.
    ///
    /// - Source: Unicode Standard Annex 11, "East Asian Width": blocks that are wide throughout.
    static func width(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { $0 + width($1) }
    }

    /// The text in at most `columns` columns; what is cut off leaves an ellipsis.
    static func cut(_ text: String, to columns: Int) -> String {
        guard width(text) > columns else { return text }
        guard columns > 1 else { return columns == 1 ? "…" : "" }
        var cut = ""
        var used = 1
        for character in text {
            let wide = width(String(character))
            guard used + wide <= columns else { break }
            cut.append(character)
            used += wide
        }
        return cut + "…"
    }

    /// The text in exactly `columns` columns.
    static func fit(_ text: String, _ columns: Int, _ alignment: Alignment = .leading) -> String {
        let text = cut(text, to: columns)
        let space = String(repeating: " ", count: max(0, columns - width(text)))
        return alignment == .leading ? text + space : space + text
    }

    /// The text without anything that a terminal would obey: a file's name may hold escape codes.
    static func printable(_ text: String) -> String {
        var safe = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control where scalar != "\n", .lineSeparator, .paragraphSeparator:
                safe.append("\u{FFFD}")
            // Marks that reorder text can make a message say something else.
            case .format: safe.append("\u{FFFD}")
            default: safe.append(scalar)
            }
        }
        return String(safe)
    }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0x20..<0x300: return 1
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF,
            0x20000...0x3FFFD:
            return 2
        default: break
        }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: return 1
        }
    }
}
