/// A way to share partitions out among the members of a group.
///
/// Every assignor is a pure function: the order of its arguments, the time and the process make no
/// difference, so any member can compute the assignment and all agree. Every partition gets exactly
/// one owner as long as there is a member.
public enum Assignor: String, Sendable, Hashable, CaseIterable {
    /// Consecutive partitions of each topic; the first members get one more where it does not divide.
    ///
    /// Partitions with one number of topics of one size meet at one member, which joins need. Balanced
    /// within a topic, not over several.
    /// - Source: Apache Kafka, `RangeAssignor`.
    case range

    /// All partitions of all topics, dealt in turn.
    ///
    /// Balanced to one partition; a member that comes or goes moves most of them.
    /// - Source: Apache Kafka, `RoundRobinAssignor`, for members that read the same topics.
    case roundRobin

    /// As few moves as balance to one partition allows; the default.
    ///
    /// What must move is taken from the topic of which its owner has most and given to the member
    /// with the fewest of that topic, so that topics spread too.
    case sticky

    /// The member with the highest rendezvous score for the partition; see `Rendezvous`.
    ///
    /// Needs no memory of the previous assignment: a member that leaves moves its own partitions
    /// only, and one that joins takes only what becomes its own. Balanced on average, not to one.
    case hash

    /// Shares `partitions` out among `members`.
    ///
    /// - Parameters:
    ///   - members: The members; one named twice counts once.
    ///   - partitions: What is to be owned; one named twice counts once.
    ///   - previous: The last assignment, which `sticky` keeps to; may name members and partitions
    ///     that are gone.
    /// - Returns: An assignment of every partition, or of none when there are no members.
    /// - Complexity: O(p log p + m log m) for `range` and `roundRobin`, O(p m) for `hash`, and for
    ///   `sticky` O(p log p) plus O(m) for each partition that changes hands.
    public func assign(
        members: [MemberID], partitions: [TopicPartition], previous: Assignment = .empty
    ) -> Assignment {
        let members = Set(members).sorted()
        let partitions = Set(partitions).sorted()
        guard !members.isEmpty else { return .empty }
        let owners: [TopicPartition: MemberID] =
            switch self {
            case .range: Self.ranges(members, partitions)
            case .roundRobin: Self.turns(members, partitions)
            case .sticky: StickyAssignment(members, partitions, previous).owners()
            case .hash: Self.rendezvous(members, partitions)
            }
        return Assignment(members: members, owners: owners)
    }

    private static func ranges(
        _ members: [MemberID], _ partitions: [TopicPartition]
    ) -> [TopicPartition: MemberID] {
        var owners: [TopicPartition: MemberID] = [:]
        var rest = partitions[...]
        while let topic = rest.first?.topic {
            let end = rest.firstIndex { $0.topic != topic } ?? rest.endIndex
            let ofTopic = rest[..<end]
            let (share, extra) = ofTopic.count.quotientAndRemainder(dividingBy: members.count)
            var next = ofTopic.startIndex
            for (index, member) in members.enumerated() {
                let after = next + share + (index < extra ? 1 : 0)
                for partition in ofTopic[next..<after] { owners[partition] = member }
                next = after
            }
            rest = rest[end...]
        }
        return owners
    }

    private static func turns(
        _ members: [MemberID], _ partitions: [TopicPartition]
    ) -> [TopicPartition: MemberID] {
        var owners: [TopicPartition: MemberID] = [:]
        for (index, partition) in partitions.enumerated() {
            owners[partition] = members[index % members.count]
        }
        return owners
    }

    private static func rendezvous(
        _ members: [MemberID], _ partitions: [TopicPartition]
    ) -> [TopicPartition: MemberID] {
        var owners: [TopicPartition: MemberID] = [:]
        for partition in partitions {
            owners[partition] = Rendezvous.owner(of: partition, among: members)
        }
        return owners
    }
}
