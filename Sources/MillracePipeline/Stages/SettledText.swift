internal import MillraceLog

/// What is settled once for a topic, by whoever comes first: a text in its dictionary.
struct SettledText {
    private let topic: Topic
    private let prefix: String

    /// - Parameters:
    ///   - kind: What is settled, such as `owner`.
    ///   - name: For whom.
    init(_ kind: String, of name: String, in topic: Topic) {
        self.topic = topic
        // The length, so that no name is the beginning of another.
        prefix = "\(kind):\(name.utf8.count):\(name):"
    }

    /// What was settled; nil for nothing yet.
    ///
    /// - Complexity: O(texts of the dictionary).
    func value() throws(LogError) -> String? {
        // Of several that came at the same time, the first to be written counts.
        try topic.dictionaryTexts(behind: prefix).first
    }

    /// Settles `value`, unless something is settled; returns what counts from now on.
    func settle(_ value: String) throws(LogError) -> String {
        if let found = try self.value() { return found }
        _ = try topic.dictionaryID(of: prefix + value)
        return try self.value() ?? value
    }
}
