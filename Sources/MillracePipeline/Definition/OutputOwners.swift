internal import MillraceLog

/// Which group makes the rows of an output from those of a source.
///
/// A group that comes to an output after another one begins at the front of its source: with rows of
/// both, each source row would have two outcomes there. So the first one to begin writes its name into
/// the output's dictionary, and every other is refused.
enum OutputOwners {
    private static func prefix(_ source: Topic) -> String {
        // The length, so that no reference is the beginning of another.
        "owner:\(source.reference.utf8.count):\(source.reference):"
    }

    /// The group that has begun to make rows of `target` from rows of `source`; nil for none.
    ///
    /// - Complexity: O(texts of the dictionary).
    static func owner(of target: Topic, from source: Topic) throws(LogError) -> String? {
        // Of several that began at the same time, the first to be written counts.
        try target.dictionaryTexts(behind: prefix(source)).first
    }

    /// Makes `group` the owner, unless another one is.
    ///
    /// - Throws: `PipelineError` with `usage` where another group is.
    static func claim(_ target: Topic, from source: Topic, for group: String) throws {
        if try owner(of: target, from: source) == nil {
            _ = try target.dictionaryID(of: prefix(source) + group)
        }
        guard let owner = try owner(of: target, from: source), owner != group else { return }
        throw refusal(of: owner, target.name, source.name)
    }

    static func refusal(
        of group: String, _ target: String, _ source: String
    ) -> PipelineError {
        PipelineError(
            .usage, "topic '\(target)' has the rows of '\(source)' from group '\(group)'",
            advice: "Go on where it was as group \(group), or name another topic.")
    }
}
