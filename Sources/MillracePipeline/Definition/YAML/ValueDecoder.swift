internal import MillraceSystem

/// Turns single values of a pipeline file into typed ones, or says what was expected and found.
struct ValueDecoder: Sendable {
    let file: String

    func error(
        _ message: String, at position: SourcePosition, advice: String? = nil
    ) -> PipelineError {
        PipelineError(.usage, message, advice: advice, file: file, position: position)
    }

    func mismatch(_ name: String, _ expected: String, _ value: YAMLValue) -> PipelineError {
        error("\(name): expected \(expected), found \(value.found)", at: value.position)
    }

    func text(
        _ value: YAMLValue, _ name: String, expected: String = "text"
    ) throws(PipelineError) -> String {
        guard case .scalar(let text, _) = value.content, !text.isEmpty else {
            throw mismatch(name, expected, value)
        }
        return text
    }

    func boolean(_ value: YAMLValue, _ name: String) throws(PipelineError) -> Bool {
        guard case .scalar(let text, quoted: false) = value.content else {
            throw mismatch(name, "true or false", value)
        }
        switch text {
        case "true": return true
        case "false": return false
        default: throw mismatch(name, "true or false", value)
        }
    }

    /// A whole number; `1_000_000` may be written with underscores.
    func integer(
        _ value: YAMLValue, _ name: String, in range: ClosedRange<Int>
    ) throws(PipelineError) -> Int {
        let expected = "a whole number \(Self.describe(range))"
        guard case .scalar(let text, quoted: false) = value.content,
            let number = Int(text.filter { $0 != "_" }), range.contains(number)
        else { throw mismatch(name, expected, value) }
        return number
    }

    /// A finite decimal number.
    func number(_ value: YAMLValue, _ name: String) throws(PipelineError) -> Double {
        guard case .scalar(let text, quoted: false) = value.content,
            let number = Self.parseNumber(text)
        else { throw mismatch(name, "a number", value) }
        return number
    }

    func list(
        _ value: YAMLValue, _ name: String, of what: String
    ) throws(PipelineError) -> [YAMLValue] {
        guard case .list(let list) = value.content else {
            throw mismatch(name, "a list of \(what)", value)
        }
        return list
    }

    /// A list of texts without repetition, or one text alone where that is unambiguous.
    func texts(
        _ value: YAMLValue, _ name: String, of what: String
    ) throws(PipelineError) -> [String] {
        var texts: [String] = []
        for element in try list(value, name, of: what) {
            let text = try text(element, name, expected: "text in the list of \(what)")
            guard !texts.contains(text) else {
                throw error("\(name): \(quote(text)) is listed twice", at: element.position)
            }
            texts.append(text)
        }
        return texts
    }

    /// One of the named choices.
    func choice<Choice: RawRepresentable<String>>(
        _ value: YAMLValue, _ name: String, among choices: [Choice]
    ) throws(PipelineError) -> Choice {
        let expected = Self.describe(choices.map(\.rawValue))
        let text = try text(value, name, expected: expected)
        guard let choice = choices.first(where: { $0.rawValue == text }) else {
            throw mismatch(name, expected, value)
        }
        return choice
    }

    /// The entries of a mapping; nothing counts as an empty mapping (`logistic:`).
    func entries(
        _ value: YAMLValue, _ name: String
    ) throws(PipelineError) -> [YAMLValue.Entry] {
        switch value.content {
        case .map(let entries): return entries
        case .null: return []
        default: throw mismatch(name, "a mapping", value)
        }
    }

    /// A name for a topic, stage, group or model.
    func name(_ text: String, _ what: String, at position: SourcePosition) throws(PipelineError) {
        guard Names.isValid(text) else {
            throw error(
                "\(quote(text)) is not a valid \(what) name", at: position,
                advice: Names.rule)
        }
    }

    private static func parseNumber(_ text: String) -> Double? {
        let digits = text.filter { $0 != "_" }
        guard digits.utf8.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }),
            let number = Double(digits), number.isFinite
        else { return nil }
        return number
    }

    private static func describe(_ range: ClosedRange<Int>) -> String {
        range.upperBound == .max
            ? "of at least \(range.lowerBound)"
            : "from \(range.lowerBound) to \(range.upperBound)"
    }

    private static func describe(_ names: [String]) -> String {
        guard let last = names.last, names.count > 1 else { return names.first ?? "" }
        return names.dropLast().joined(separator: ", ") + " or " + last
    }
}
