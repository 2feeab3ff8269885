/// What can be seen of a group from outside.
public struct GroupDescription: Sendable, Equatable {
    /// Whether and how the group is at work.
    public enum State: String, Sendable {
        /// Nobody is in the group.
        case empty
        /// Every partition has the owner that it is to have.
        case stable
        /// Partitions are changing hands, or a named instance is waited for.
        case rebalancing
    }

    /// One consumer of the group.
    public struct Member: Sendable, Equatable {
        /// Its name; for a named instance the name that it was given, with its place behind it.
        public let id: MemberID
        /// The process that it lives in.
        public let process: Int
        /// The core that its thread is bound to.
        public let core: Int
        /// Whether it may come back under its name.
        public let isInstance: Bool
        /// Whether it is there.
        ///
        /// False for a named instance that is waited for; others that are not there are left out.
        public let isPresent: Bool
    }

    /// One partition that the group reads or has read.
    public struct Partition: Sendable, Equatable {
        /// The partition.
        public let partition: TopicPartition
        /// The offset to read next: last consumed + 1; nil when nothing was committed.
        public let committed: UInt64?
        /// The offset after the last row; nil when the topic is gone.
        public let end: UInt64?
        /// Rows that are kept and not yet consumed; nil when the topic is gone.
        public let lag: UInt64?
        /// Who reads the partition; nil for nobody.
        public let owner: Member?
        /// The generation in which the newest owner became that.
        public let generation: UInt32
    }

    /// The group's name.
    public let name: String
    /// Whether and how it is at work.
    public let state: State
    /// Grows with every change of its members or of who owns what.
    public let generation: UInt32
    /// How partitions are shared out.
    public let assignor: Assignor
    /// The consumers, in the order of their names.
    public let members: [Member]
    /// What the group reads or has read, in order.
    public let partitions: [Partition]
}
