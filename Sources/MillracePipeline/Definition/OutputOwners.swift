internal import MillraceLog

/// Who has made the rows of a stage's output.
///
/// A group that comes to an output after another one begins at the front of its source: with rows of
/// both, each source row would have two outcomes there.
enum OutputOwners {
    /// A group, none of `groups`, that has made rows of `target` from rows of `source`; nil for none.
    ///
    /// - Complexity: O(groups · partitions) look-ups of the newest batch.
    static func other(
        than groups: Set<String>, in target: Topic, of source: Topic
    ) throws(LogError) -> String? {
        let prefix = "group:"
        for other in try target.dictionaryTexts(behind: prefix) where !groups.contains(other) {
            for partition in 0..<min(source.partitions, target.partitions) {
                let last = try target.lastOrigin(
                    partition: partition, source: source.reference, sourcePartition: partition,
                    group: prefix + other)
                if last != nil { return other }
            }
        }
        return nil
    }

    static func refusal(
        of group: String, _ target: String, _ source: String, advice: String
    ) -> PipelineError {
        PipelineError(
            .usage, "topic '\(target)' has rows that group '\(group)' made of '\(source)'",
            advice: advice)
    }
}
