internal import MillraceSystem

/// A consumer group of Kafka, as its coordinator and the topics' leaders tell of it.
public struct KafkaGroupDescription: Sendable, Equatable {
    /// A member that is there.
    public struct Member: Sendable, Equatable {
        /// What the coordinator calls it.
        public let id: String
        /// `client.id` of its client; `millrace` of ours.
        public let client: String
        /// Where it is, as the broker sees it.
        public let host: String
    }

    /// A partition that somebody owns or for which an offset is committed.
    public struct Partition: Sendable, Equatable {
        /// The topic's name.
        public let topic: String
        /// The partition's number.
        public let partition: Int
        /// The offset to go on from; nil when none is committed.
        public let committed: Int64?
        /// The offset behind the last record; nil when the topic is gone.
        public let end: Int64?
        /// Id of the member that owns it; nil when nobody does.
        public let owner: String?

        /// Offsets between what is committed and the end; nil when one of them is not known.
        ///
        /// Marks of transactions take offsets too, so there may be fewer records.
        public var lag: Int64? {
            guard let committed, let end else { return nil }
            return max(0, end.subtracting(clamped: committed))
        }
    }

    /// The group's name.
    public let name: String
    /// As Kafka calls it: `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty`, `Dead`.
    public let state: String
    /// The assignor that its members agreed on; empty where the broker does not tell.
    public let assignor: String
    /// Those that are there; brokers that do not tell name none.
    public let members: [Member]
    /// In the order of topics and numbers.
    public let partitions: [Partition]
}
