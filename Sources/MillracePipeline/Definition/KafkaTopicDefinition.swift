public import MillraceKafka

/// Where a topic of a pipeline is when it is one of Kafka, and what its records are.
public struct KafkaTopicDefinition: Sendable, Equatable {
    /// The Kafka topic.
    public var address: KafkaAddress
    /// What the records are that a stage reads.
    public var rowFormat: KafkaRowFormat
    /// What the records are that a score stage writes.
    public var predictionFormat: KafkaPredictionFormat
    /// The names of the columns where records are lines of CSV; nil for those of the rows that the
    /// model was trained on.
    public var columns: [String]?
    /// What happens to a record that is no row.
    public var onBadRecord: BadRecordAction
    /// The topic of the same cluster that takes them where they are put aside; nil for
    /// `TOPIC.dead-letters`.
    public var deadLetterTopic: String?
    /// Where to go on when Kafka has removed records that were not read yet.
    public var onOutOfRange: LostRecordPolicy
    /// Properties for librdkafka.
    public var properties: KafkaProperties
    /// How long brokers may be away before that is an error, in milliseconds.
    public var patienceMilliseconds: Int

    /// Creates a definition.
    public init(
        address: KafkaAddress, rowFormat: KafkaRowFormat = .json,
        predictionFormat: KafkaPredictionFormat = .json, columns: [String]? = nil,
        onBadRecord: BadRecordAction = .stop, deadLetterTopic: String? = nil,
        onOutOfRange: LostRecordPolicy = .error, properties: KafkaProperties = KafkaProperties(),
        patienceMilliseconds: Int = MirrorOptions.defaultPatienceMilliseconds
    ) {
        self.address = address
        self.rowFormat = rowFormat
        self.predictionFormat = predictionFormat
        self.columns = columns
        self.onBadRecord = onBadRecord
        self.deadLetterTopic = deadLetterTopic
        self.onOutOfRange = onOutOfRange
        self.properties = properties
        self.patienceMilliseconds = patienceMilliseconds
    }

    /// What the records are of a topic of features that a stage writes.
    var featureFormat: KafkaFormat {
        switch rowFormat {
        case .json: .json
        case .block: .block
        case .float32, .csv: .float32
        }
    }

    /// Where records that are no rows are put; nil where they are not.
    var deadLetters: String? {
        onBadRecord == .deadLetter ? deadLetterTopic ?? address.topic + ".dead-letters" : nil
    }
}
