/// Metrics in the text format that Prometheus reads.
///
/// - Source: Prometheus, "Exposition formats", text format 0.0.4.
struct MetricsText {
    /// What a metric does from one look to the next.
    enum Kind: String {
        /// It only grows, from 0 when the process began.
        case counter
        /// It goes up and down.
        case gauge
        /// Cumulative counts of values by size.
        case histogram
    }

    private(set) var text = ""

    /// Begins a metric; its samples follow.
    mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// Adds a sample.
    mutating func add(_ name: String, _ labels: [(String, String)], _ value: Double) {
        text += name
        if !labels.isEmpty {
            text += "{"
            text += labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",")
            text += "}"
        }
        text += " \(Self.number(value))\n"
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        // Exact as a whole number, which reads better without a point.
        if value.magnitude < 0x1p53, value == value.rounded(.towardZero) {
            return "\(Int64(value))"
        }
        return "\(value)"
    }

    private static func escaped(_ label: String) -> String {
        var text = ""
        for character in label.unicodeScalars {
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(character)
            }
        }
        return text
    }
}
