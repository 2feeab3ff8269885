/// One partition of one topic.
public struct TopicPartition: Sendable, Hashable {
    /// The topic's name.
    public let topic: String
    /// The partition's number, from zero.
    public let partition: Int

    /// Partition `partition` of `topic`.
    public init(topic: String, partition: Int) {
        self.topic = topic
        self.partition = partition
    }

    /// All partitions of a topic that has `count` of them, ascending.
    public static func all(of topic: String, count: Int) -> [TopicPartition] {
        (0..<count).map { TopicPartition(topic: topic, partition: $0) }
    }
}

extension TopicPartition: Comparable {
    /// Orders by topic, then by partition number.
    public static func < (left: TopicPartition, right: TopicPartition) -> Bool {
        left.topic == right.topic ? left.partition < right.partition : left.topic < right.topic
    }
}

extension TopicPartition: CustomStringConvertible {
    /// `topic/partition`, as the directory in the log is called.
    public var description: String { "\(topic)/\(partition)" }
}
