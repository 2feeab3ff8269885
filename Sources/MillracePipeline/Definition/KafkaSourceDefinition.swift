public import MillraceKafka

/// A Kafka topic whose records go to a topic of the pipeline.
public struct KafkaSourceDefinition: Sendable, Equatable {
    /// The Kafka topic.
    public var address: KafkaAddress
    /// What its records are; nil for bytes where the topic holds bytes, else float32.
    public var format: KafkaFormat?
    /// The names of the columns, where records are lines of CSV for a preprocess stage.
    public var columns: [String]?
    /// The topic that receives the rows: of bytes, or of a fixed number of features.
    public var to: Reference
    /// What happens to a record that is no row.
    public var onBadRecord: BadRecordPolicy
    /// Where to go on when Kafka has removed records that were not read yet.
    public var onOutOfRange: LostRecordPolicy
    /// Properties for librdkafka.
    public var properties: KafkaProperties
    /// Where it was declared; nil in a definition built in code.
    public var position: SourcePosition?

    /// Creates a definition.
    public init(
        address: KafkaAddress, format: KafkaFormat? = nil, columns: [String]? = nil,
        to: Reference, onBadRecord: BadRecordPolicy = .stop,
        onOutOfRange: LostRecordPolicy = .error, properties: KafkaProperties = KafkaProperties(),
        position: SourcePosition? = nil
    ) {
        self.address = address
        self.format = format
        self.columns = columns
        self.to = to
        self.onBadRecord = onBadRecord
        self.onOutOfRange = onOutOfRange
        self.properties = properties
        self.position = position
    }

    /// Whether two sources read alike, wherever they were declared.
    public static func == (left: Self, right: Self) -> Bool {
        left.address == right.address && left.format == right.format
            && left.columns == right.columns && left.to == right.to
            && left.onBadRecord == right.onBadRecord && left.onOutOfRange == right.onOutOfRange
            && left.properties == right.properties
    }
}
