/// A topic that a pipeline reads or writes.
public struct TopicDefinition: Sendable, Equatable {
    /// What the rows of a topic hold.
    public enum Content: Sendable, Equatable {
        /// One value of bytes a row, such as a line of text.
        case bytes
        /// A vector of numbers a row, and a label where `labelled`.
        case features(width: Width, element: Element, labelled: Bool)
        /// A vector of model outputs a row.
        case predictions
    }

    /// How many features a row has.
    public enum Width: Sendable, Equatable {
        /// As many as the preprocess stage of this name makes.
        case stage(Reference)
        /// A fixed number.
        case fixed(Int)
    }

    /// How a feature is stored.
    public enum Element: String, Sendable, CaseIterable {
        /// IEEE 754 single precision, 4 bytes.
        case float32
        /// IEEE 754 half precision, 2 bytes.
        case float16
        /// The upper half of a `float32`, 2 bytes.
        case bfloat16
        /// A whole number of steps from a zero point, 1 byte, 0 to 255.
        case uint8
        /// The same, -128 to 127.
        case int8
    }

    /// How batches are compressed.
    public enum Codec: Sendable, Equatable {
        /// LZ4 blocks; level 0 is the fast compressor, 3 to 12 the high-compression one.
        case lz4(level: Int)
        /// Batches are stored as they are.
        case none
    }

    /// The topic's name.
    public var name: String
    /// How many partitions it has.
    public var partitions: Int
    /// What its rows hold.
    public var content: Content
    /// How its batches are compressed.
    public var codec: Codec
    /// How its rows are kept.
    public var storage: TopicStorage
    /// Where the topic is when it is one of Kafka, which then says how many partitions it has.
    public var kafka: KafkaTopicDefinition?
    /// Where it was declared; nil in a definition built in code.
    public var position: SourcePosition?

    /// The most partitions that a topic may have.
    public static let maxPartitions = 1024
    /// The most features that a row may have.
    public static let maxFeatures = 65_536

    /// Creates a definition.
    public init(
        name: String, partitions: Int = 1, content: Content, codec: Codec = .lz4(level: 0),
        storage: TopicStorage = TopicStorage(), kafka: KafkaTopicDefinition? = nil,
        position: SourcePosition? = nil
    ) {
        self.name = name
        self.partitions = partitions
        self.content = content
        self.codec = codec
        self.storage = storage
        self.kafka = kafka
        self.position = position
    }

    /// Whether two topics are declared alike, wherever that was.
    public static func == (left: Self, right: Self) -> Bool {
        left.name == right.name && left.partitions == right.partitions
            && left.content == right.content && left.codec == right.codec
            && left.storage == right.storage && left.kafka == right.kafka
    }
}
