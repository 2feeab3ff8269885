internal import MillraceGroups
internal import MillraceKafka

/// A slot's part in a consumer group, whichever log the group reads.
///
/// **Thread-safety**: one owner.
protocol StageMember {
    /// A partition that the slot owns, from one grant on.
    associatedtype Claim: Hashable

    /// Whether the tasks know how far behind they are, and the topic does not.
    static var tellsLag: Bool { get }

    /// Whether the group has changed in any way since `look` was called.
    var mayHaveChanged: Bool { get }

    /// What has changed since the last call; nil when nothing has.
    func look() throws -> MemberChanges<Claim>?

    /// Gives partitions back, for those that are to own them.
    func release(_ claims: [Claim]) throws

    /// Says that the slot is at work.
    func tick()

    /// Whether every partition has the owner that it is to have.
    func isAtRest() throws -> Bool

    /// Makes what was done count, where single batches do not: called after each round.
    func settle() throws

    /// The same, before partitions are given back and at the end.
    func finish() throws

    /// Takes back what was done and does not count, after an error.
    ///
    /// - Returns: Whether to begin with every partition anew; else the error stands.
    func takeBack(after error: any Error, isStopped: Bool) throws -> Bool
}

/// What has changed for a member of a group.
struct MemberChanges<Claim: Hashable> {
    /// What the member owns from now on.
    var granted: [Claim] = []
    /// What others are to own: to be finished with and released.
    var revoked: [Claim] = []
    /// What others own already: nothing that is done there counts.
    var lost: [Claim] = []
}

// In the log a batch counts once it is appended.
extension GroupConsumer: StageMember {
    static var tellsLag: Bool { false }

    func look() throws -> MemberChanges<Claim>? {
        try changes().map {
            MemberChanges(granted: $0.granted, revoked: $0.revoked, lost: $0.lost)
        }
    }

    func isAtRest() throws -> Bool { try isSettled() }
    func settle() {}
    func finish() {}
    func takeBack(after error: any Error, isStopped: Bool) -> Bool { false }
}

#if Kafka
    extension KafkaMember: StageMember {
        typealias Claim = KafkaPartition

        static var tellsLag: Bool { true }

        func look() throws -> MemberChanges<KafkaPartition>? {
            try changes().map {
                MemberChanges(granted: $0.granted, revoked: $0.revoked, lost: $0.lost)
            }
        }

        // Brokers hear of the member by another thread; see `KafkaGroup`.
        func tick() {}
        func isAtRest() -> Bool { isSettled }
    }
#endif
