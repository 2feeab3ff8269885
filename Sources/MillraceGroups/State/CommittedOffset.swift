/// What a group has committed for one partition.
public struct CommittedOffset: Sendable, Hashable {
    /// Which partition.
    public let partition: TopicPartition
    /// The id of the topic that was read, which tells it from others of its name.
    public let topicID: UInt64
    /// The offset to be read next: last consumed + 1.
    public let next: UInt64

    /// Says that `next` is to be read next from `partition` of the topic with id `topicID`.
    public init(partition: TopicPartition, topicID: UInt64, next: UInt64) {
        self.partition = partition
        self.topicID = topicID
        self.next = next
    }

    /// The entries with a committed offset, in the order of their partitions.
    static func all(in entries: [OffsetRecord.Entry]) -> [CommittedOffset] {
        entries.lazy
            .filter { $0.next != OffsetRecord.none }
            .map { CommittedOffset(partition: $0.partition, topicID: $0.topicID, next: $0.next) }
            .sorted { $0.partition < $1.partition }
    }
}
