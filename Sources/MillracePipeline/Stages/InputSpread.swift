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
    /// `rule` over all partitions, which `settle` writes.
    ///
    /// - Throws: `PipelineError` with `usage` where the rows are spread by another rule.
    static func of(
        _ name: String, in topic: Topic, rule: String
    ) throws(PipelineError) -> InputSpread {
        let text: String?
        do throws(LogError) { text = try settled(name, topic).value() } catch {
            throw PipelineError(error)
        }
        guard let text else { return InputSpread(partitions: topic.partitions, rule: rule) }
        let found = try read(text, name, topic)
        guard (1...topic.partitions).contains(found.partitions) else {
            throw PipelineError(
                .tryLater, "topic '\(topic.name)' has got more partitions meanwhile",
                advice: "Run the same command again.")
        }
        // By bytes: two texts that look alike choose other partitions.
        guard found.rule.utf8.elementsEqual(rule.utf8) else {
            throw PipelineError(
                .usage,
                "the rows of '\(name)' in topic '\(topic.name)' are spread by \(found.rule), not by "
                    + rule, advice: "Spread them as before, or give the producer another name.")
        }
        return found
    }

    /// Writes the spread, unless it is written; to be called before the first row is appended.
    ///
    /// - Throws: `PipelineError` with `tryLater` where another process has settled it otherwise.
    func settle(_ name: String, in topic: Topic) throws(PipelineError) {
        let text: String
        do throws(LogError) {
            text = try Self.settled(name, topic).settle("\(partitions):\(rule)")
        } catch { throw PipelineError(error) }
        guard try Self.read(text, name, topic) != self else { return }
        throw PipelineError(
            .tryLater, "another process has begun to append '\(name)' to topic '\(topic.name)'",
            advice: "Run the same command again when it has ended.")
    }

    private static func settled(_ name: String, _ topic: Topic) -> SettledText {
        SettledText("spread", of: name, in: topic)
    }

    private static func read(
        _ text: String, _ name: String, _ topic: Topic
    ) throws(PipelineError) -> InputSpread {
        guard let found = InputSpread(text), found.partitions > 0 else {
            throw PipelineError(
                .badData,
                "the dictionary of topic '\(topic.name)' does not say how '\(name)' is spread")
        }
        return found
    }

    private init(partitions: Int, rule: String) {
        self.partitions = partitions
        self.rule = rule
    }

    private init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let partitions = Int(parts[0]) else { return nil }
        self.partitions = partitions
        rule = String(parts[1])
    }
}
