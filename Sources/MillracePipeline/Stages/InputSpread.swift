internal import MillraceLog

/// Over how many partitions the rows of an input are spread, and how.
///
/// Which partition has which row follows from it alone, and what a partition has tells where to go
/// on. So it is written into the topic's dictionary before the first row, and holds from then on:
/// partitions that the topic gets later have no rows of that input, which would otherwise be read
/// into them again.
struct InputSpread: Equatable {
    /// The first so many partitions of the topic.
    let partitions: Int
    /// How one of them is chosen, in one word.
    let rule: String

    /// The spread of an input whose rows the topic's dictionary calls `name`: what was written, or
    /// `rule` over all partitions, which is written then.
    ///
    /// - Throws: `PipelineError` with `usage` where the rows are spread by another rule.
    static func of(
        _ name: String, in topic: Topic, rule: String
    ) throws(PipelineError) -> InputSpread {
        // The length, so that no name is the beginning of another.
        let prefix = "spread:\(name.utf8.count):\(name):"
        var texts: [String]
        do throws(LogError) {
            texts = try topic.dictionaryTexts(behind: prefix)
            if texts.isEmpty {
                _ = try topic.dictionaryID(of: "\(prefix)\(topic.partitions):\(rule)")
                // Of several that began at the same time, the first to be written counts.
                texts = try topic.dictionaryTexts(behind: prefix)
            }
        } catch { throw PipelineError(error) }
        guard let text = texts.first, let found = InputSpread(text),
            (1...topic.partitions).contains(found.partitions)
        else {
            throw PipelineError(
                .badData,
                "the dictionary of topic '\(topic.name)' does not say how '\(name)' is spread")
        }
        guard found.rule == rule else {
            throw PipelineError(
                .usage,
                "the rows of '\(name)' in topic '\(topic.name)' are spread by \(found.rule), not by "
                    + rule, advice: "Spread them as before, or give the producer another name.")
        }
        return found
    }

    private init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let partitions = Int(parts[0]) else { return nil }
        self.partitions = partitions
        rule = String(parts[1])
    }
}
