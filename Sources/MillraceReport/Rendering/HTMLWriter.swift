/// Writes elements and escapes every text and every attribute.
struct HTMLWriter {
    private(set) var html = ""

    /// Writes an element; `content` writes what is inside.
    mutating func element(
        _ name: String, _ attributes: KeyValuePairs<String, String> = [:],
        _ content: (inout HTMLWriter) -> Void
    ) {
        open(name, attributes, end: ">")
        content(&self)
        html += "</\(name)>"
    }

    /// Writes an element that holds a text.
    mutating func element(
        _ name: String, _ attributes: KeyValuePairs<String, String> = [:], text: String
    ) {
        element(name, attributes) { $0.text(text) }
    }

    /// Writes an element without content, which closes itself as SVG and XML do.
    mutating func empty(_ name: String, _ attributes: KeyValuePairs<String, String> = [:]) {
        open(name, attributes, end: "/>")
    }

    /// Writes a text.
    mutating func text(_ text: String) { html += Self.escape(text) }

    /// Writes markup of our own, such as the style sheet; never anything that a user gave.
    mutating func markup(_ text: StaticString) { html += text.description }

    mutating func newline() { html += "\n" }

    private mutating func open(
        _ name: String, _ attributes: KeyValuePairs<String, String>, end: String
    ) {
        html += "<\(name)"
        for (key, value) in attributes { html += " \(key)=\"\(Self.escape(value))\"" }
        html += end
    }

    /// The text with everything replaced that has a meaning in HTML, in content and in attributes.
    ///
    /// Control characters, which no HTML document may hold, become the replacement character.
    static func escape(_ text: String) -> String {
        let special = text.utf8.contains { byte in
            byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "&") || byte == UInt8(ascii: "<")
                || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "\"")
                || byte == UInt8(ascii: "'")
        }
        guard special else { return text }
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            case "\n", "\t": escaped.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
