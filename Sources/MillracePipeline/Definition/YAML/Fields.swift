internal import MillraceInput

/// The values of one mapping, by the keys that are known there.
///
/// Creating it refuses unknown keys, naming the nearest known one; so a misspelt key is reported
/// as such and never as a missing one.
struct Fields<Key: RawRepresentable<String> & CaseIterable & Hashable> {
    /// What the mapping describes, for error messages: `stage "learn"`.
    let what: String
    let position: SourcePosition
    let decoder: ValueDecoder
    private let entries: [Key: YAMLValue.Entry]

    /// Reads a mapping; `reserved` are keys that a later version will know.
    init(
        _ value: YAMLValue, of what: String, _ decoder: ValueDecoder, reserved: [String] = []
    ) throws(PipelineError) {
        self.what = what
        self.position = value.position
        self.decoder = decoder
        var entries: [Key: YAMLValue.Entry] = [:]
        for entry in try decoder.entries(value, what) {
            guard let key = Key(rawValue: entry.key) else {
                throw Self.unknown(entry, in: what, decoder, reserved: reserved)
            }
            entries[key] = entry
        }
        self.entries = entries
    }

    private static func unknown(
        _ entry: YAMLValue.Entry, in what: String, _ decoder: ValueDecoder, reserved: [String]
    ) -> PipelineError {
        if reserved.contains(entry.key) {
            return decoder.error(
                "the key \(quote(entry.key)) of \(what) is not supported in this version",
                at: entry.keyPosition)
        }
        let known = Key.allCases.map(\.rawValue)
        let advice =
            NearestName.suggest(entry.key, among: known).map { "Did you mean \(quote($0))?" }
            ?? "Known keys: \(known.joined(separator: ", "))."
        return decoder.error(
            "unknown key \(quote(entry.key)) in \(what)", at: entry.keyPosition, advice: advice)
    }

    subscript(key: Key) -> YAMLValue? { entries[key]?.value }

    func keyPosition(_ key: Key) -> SourcePosition {
        entries[key]?.keyPosition ?? position
    }

    func required(_ key: Key) throws(PipelineError) -> YAMLValue {
        guard let value = entries[key]?.value else {
            throw decoder.error("\(what) lacks the key \(quote(key.rawValue))", at: position)
        }
        return value
    }

    func text(_ key: Key) throws(PipelineError) -> String {
        try decoder.text(try required(key), key.rawValue)
    }

    func optionalText(_ key: Key) throws(PipelineError) -> String? {
        guard let value = self[key] else { return nil }
        return try decoder.text(value, key.rawValue)
    }

    func boolean(_ key: Key, default value: Bool) throws(PipelineError) -> Bool {
        guard let given = self[key] else { return value }
        return try decoder.boolean(given, key.rawValue)
    }

    func integer(
        _ key: Key, default value: Int, in range: ClosedRange<Int>
    ) throws(PipelineError) -> Int {
        try optionalInteger(key, in: range) ?? value
    }

    func optionalInteger(
        _ key: Key, in range: ClosedRange<Int>
    ) throws(PipelineError) -> Int? {
        guard let given = self[key] else { return nil }
        return try decoder.integer(given, key.rawValue, in: range)
    }

    func number(_ key: Key, default value: Double) throws(PipelineError) -> Double {
        guard let given = self[key] else { return value }
        return try decoder.number(given, key.rawValue)
    }

    /// A number that has to satisfy a condition, described as in "a number above 0".
    func number(
        _ key: Key, default value: Double, expected: String, where holds: (Double) -> Bool
    ) throws(PipelineError) -> Double {
        let number = try number(key, default: value)
        guard holds(number) else {
            throw decoder.mismatch(key.rawValue, expected, try required(key))
        }
        return number
    }

    func choice<Choice: RawRepresentable<String>>(
        _ key: Key, default value: Choice, among choices: [Choice]
    ) throws(PipelineError) -> Choice {
        guard let given = self[key] else { return value }
        return try decoder.choice(given, key.rawValue, among: choices)
    }

    /// A reference to a topic or stage.
    func reference(_ key: Key) throws(PipelineError) -> Reference {
        let value = try required(key)
        return Reference(try decoder.text(value, key.rawValue), position: value.position)
    }

    func optionalReference(_ key: Key) throws(PipelineError) -> Reference? {
        guard self[key] != nil else { return nil }
        return try reference(key)
    }

    /// The one key of `keys` that is given; none or two at once are errors.
    func oneOf(_ keys: [Key]) throws(PipelineError) -> Key {
        let given = keys.filter { entries[$0] != nil }
        let names = keys.map { quote($0.rawValue) }.joined(separator: ", ")
        guard let first = given.first else {
            throw decoder.error("\(what) needs one of the keys \(names)", at: position)
        }
        if given.count > 1 {
            throw decoder.error(
                "\(what) takes only one of the keys \(names)", at: keyPosition(given[1]))
        }
        return first
    }
}
