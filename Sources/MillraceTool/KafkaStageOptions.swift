internal import ArgumentParser
internal import MillraceKafka
internal import MillracePipeline

/// What a stage needs to know of topics of Kafka.
struct KafkaStageOptions: ParsableArguments {
    @Option(
        help: """
            What the records of IN are: json, csv, float32 or block. Default: json, \
            {"features":[…]} or the columns by name.
            """)
    var format: KafkaRowFormat?
    @Option(
        help: ArgumentHelp(
            "The columns of lines of CSV, in order. Default: those that the model was trained on.",
            valueName: "a,b,c"))
    var columns: String?
    @Option(help: "What the records of OUT are: json or float32. Default: json.")
    var outputFormat: KafkaPredictionFormat?
    @Option(
        help: """
            What happens to a record that is no row: stop, skip or dead-letter, which writes it to \
            another topic. Default: stop.
            """)
    var onBadRecord: BadRecordAction?
    @Option(
        help: ArgumentHelp(
            "Where such records go. Default: IN.dead-letters, which has to be there.",
            valueName: "topic"))
    var deadLetterTopic: String?
    @Option(help: "Where to go on when what comes next was removed: error or earliest.")
    var onOutOfRange: LostRecordPolicy?
    @OptionGroup var kafka: KafkaPropertyOptions
    @OptionGroup var away: KafkaPatienceOption

    func validate() throws {
        if deadLetterTopic != nil, onBadRecord != .deadLetter {
            throw ValidationError("--dead-letter-topic goes with --on-bad-record dead-letter")
        }
    }

    /// The first option that was given.
    var first: String? {
        let given: [(String, Bool)] = [
            ("--format", format != nil), ("--columns", columns != nil),
            ("--output-format", outputFormat != nil), ("--on-bad-record", onBadRecord != nil),
            ("--dead-letter-topic", deadLetterTopic != nil),
            ("--on-out-of-range", onOutOfRange != nil),
            ("--kafka-property", !kafka.isEmpty), ("--patience", away.patience != nil),
        ]
        return given.first { $0.1 }?.0
    }

    /// The topic to read; nil where it is none of Kafka.
    func input(_ text: String) throws -> KafkaTopicDefinition? {
        guard var topic = try topic(text) else { return nil }
        topic.rowFormat = format ?? topic.rowFormat
        topic.columns = columns?.split(separator: ",", omittingEmptySubsequences: false)
            .map(String.init)
        topic.onBadRecord = onBadRecord ?? topic.onBadRecord
        topic.deadLetterTopic = deadLetterTopic
        topic.onOutOfRange = onOutOfRange ?? topic.onOutOfRange
        return topic
    }

    /// The topic to write; nil where it is none of Kafka.
    func output(_ text: String) throws -> KafkaTopicDefinition? {
        guard var topic = try topic(text) else { return nil }
        topic.predictionFormat = outputFormat ?? topic.predictionFormat
        return topic
    }

    private func topic(_ text: String) throws -> KafkaTopicDefinition? {
        guard KafkaAddress.isAddress(text) else { return nil }
        var topic = KafkaTopicDefinition(
            address: try KafkaAddress(text),
            properties: try kafka.properties())
        if let patience = away.milliseconds { topic.patienceMilliseconds = patience }
        return topic
    }
}
