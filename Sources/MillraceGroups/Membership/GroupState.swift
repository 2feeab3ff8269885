package import MillraceSystem

/// Everything that the members of a group agree on at one moment: who is in it, what it reads, who
/// owns which partition and who is to own it.
///
/// A value, changed by pure functions (in the extensions) of what was observed: joins, leaves,
/// deaths, hangs, releases and the clock. Whoever changes it, in any process, publishes the next
/// value whole or not at all (`GroupFiles`), so that the functions here are all of the group's
/// decisions.
///
/// A rebalance is cooperative, in two steps as in Kafka's incremental protocol (KIP-429): a change
/// of the members sets new *targets*; an owner that is not the target any more finishes its batch
/// and *releases*; only then does the target become the owner. Partitions whose owner is their
/// target are not touched. Every change of members or owners begins a new generation, so no
/// partition was ever owned twice in one.
package struct GroupState: Sendable, Equatable {
    /// One consumer: a thread of a process.
    package struct Member: Sendable, Equatable {
        /// Stands for the member; never used again in the group.
        package var key: UInt32
        /// Which byte of the `members` file the member holds locked.
        package var number: Int
        /// The name by which assignors order members.
        package var id: MemberID
        /// The process that the member lives in.
        package var process: ProcessIdentity
        /// The core that it is bound to; -1 for none.
        package var core: Int
        /// Whether the name is an instance id, under which the member may come back.
        package var isStatic: Bool
        /// How long a static member's partitions wait for it.
        package var graceNanoseconds: Int64
        /// How long the member may stand still before it counts as hung; 0 for ever.
        package var hangNanoseconds: Int64
        /// Until when a static member that is gone is waited for (monotonic clock of this boot);
        /// 0 while it is here.
        package var awayUntil: Int64 = 0

        package var isAway: Bool { awayUntil != 0 }
    }

    /// One partition that the group reads or has read.
    package struct Partition: Sendable, Equatable {
        package var partition: TopicPartition
        /// Tells the topic from another of its name.
        package var topicID: UInt64
        /// Whether the group reads the partition now.
        package var isRead: Bool
        /// Key of the member that owns the partition; 0 for nobody.
        package var owner: UInt32 = 0
        /// Key of the member that is to own it; 0 for nobody.
        package var target: UInt32 = 0
        /// Generation in which `owner`, or the last owner, became owner.
        package var generation: UInt32 = 0
        /// What the group had committed (the offset to read next) at the last change of this state.
        package var committed: UInt64?
        /// Whether an owner was taken for hung since the boot: it may still live.
        package var isContested = false
        /// Commits made under a generation below this one are void.
        package var validFrom: UInt32 = 0
        /// What the owner's words said when `committed` was recorded here, by a commit of several
        /// partitions: while they still say it, `committed` counts and not they.
        ///
        /// It stays when they say something newer, since a loss of power may bring it back.
        package var superseded: Tenure?

        /// The offset to read next, given what the owner's words say.
        package func committed(given tenure: Tenure) -> UInt64? {
            let isVoid = tenure.generation < max(validFrom, 1) || tenure == superseded
            return isVoid ? committed : tenure.next
        }
    }

    /// Who owns a partition and how far it is, as the owner itself says in the group's page.
    package struct Tenure: Sendable, Equatable {
        /// In which generation the owner became owner; 0 for nobody yet.
        package var generation: UInt32
        /// The offset to read next; nil when nothing was committed.
        package var next: UInt64?

        package init(generation: UInt32, next: UInt64?) {
            self.generation = generation
            self.next = next
        }
    }

    /// What the members of a group have in common.
    package struct Subscription: Sendable, Equatable {
        package var assignor: Assignor
        /// Whether only one process may be in the group.
        package var isExclusive: Bool
        /// Names of the topics that are read.
        package var topics: [String]
        /// Names of the topics whose batches record the group's progress.
        package var outputs: [String]

        package init(
            assignor: Assignor, isExclusive: Bool, topics: [String], outputs: [String]
        ) {
            self.assignor = assignor
            self.isExclusive = isExclusive
            self.topics = topics
            self.outputs = outputs
        }
    }

    /// Grows with every change of members or owners, also over deletions of the group.
    package var generation: UInt32 = 0
    /// The key of the next member; 0 is nobody's.
    package var nextKey: UInt32 = 1
    /// Whether the group exists: whether it was joined since it was deleted.
    package var exists = false
    package var subscription = Subscription(
        assignor: .sticky, isExclusive: false, topics: [], outputs: [])
    /// In the order in which they joined.
    package var members: [Member] = []
    /// In the order in which they became known, which never changes.
    package var partitions: [Partition] = []

    package init() {}

    /// The member that `key` stands for.
    package func member(_ key: UInt32) -> Member? { members.first { $0.key == key } }

    /// Whether every partition that is read belongs to the member that is to own it, which is here.
    package var isSettled: Bool {
        partitions.allSatisfy { !$0.isRead || ($0.owner == $0.target && $0.owner != 0) }
    }

    /// Indices of the partitions that `key` owns.
    package func owned(by key: UInt32) -> [Int] {
        partitions.indices.filter { partitions[$0].owner == key }
    }
}
