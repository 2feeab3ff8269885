/// A stage's part in a consumer group of Kafka, as its process tells it; the group as a whole is for
/// Kafka's own tools to show.
public struct KafkaShare: Sendable, Equatable, Codable {
    /// The address of the topic that the group reads.
    public var topic: String
    /// The partitions that the process owns.
    public var partitions: [Int]
    /// The cores that the stage runs on.
    public var cores: [Int]
    /// Records of these partitions that are there and have no outcome yet; 0 where nobody counts them.
    public var lag: Int
    /// Records that got their outcome by this run of the stage.
    public var rows: Int
}
