internal import MillraceLog

/// Which group makes the rows of an output from those of a source.
///
/// A group that comes to an output after another one begins at the front of its source: with rows of
/// both, each source row would have two outcomes there. So the first one to begin writes its name into
/// the output's dictionary, and every other is refused.
enum OutputOwners {
    private static func text(_ target: Topic, _ reference: String) -> SettledText {
        SettledText("owner", of: reference, in: target)
    }

    /// The group that has begun to make rows of `target` from rows of `source`; nil for none.
    static func owner(of target: Topic, from source: Topic) throws(LogError) -> String? {
        try text(target, source.reference).value()
    }

    /// Makes `group` the owner, unless another one is.
    ///
    /// The source is given as dictionaries refer to it and as people call it.
    /// - Throws: `PipelineError` with `usage` where another group is.
    static func claim(
        _ target: Topic, from reference: String, _ source: String, for group: String
    ) throws {
        let owner = try text(target, reference).settle(group)
        guard owner != group else { return }
        throw refusal(of: owner, target.name, source)
    }

    static func refusal(
        of group: String, _ target: String, _ source: String
    ) -> PipelineError {
        PipelineError(
            .usage, "topic '\(target)' has the rows of '\(source)' from group '\(group)'",
            advice: "Go on where it was as group \(group), or name another topic.")
    }
}
