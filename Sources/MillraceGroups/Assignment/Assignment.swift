/// Who owns which partitions: for every partition at most one member.
///
/// That no partition has two owners is a matter of the type and not of care: an assignment is built
/// from a map of partitions to their owners.
public struct Assignment: Sendable, Equatable {
    private let owners: [TopicPartition: MemberID]
    private let partitionsByMember: [MemberID: [TopicPartition]]

    /// The members, in order; those without a partition too.
    public let members: [MemberID]

    /// Nobody and nothing: where a group's first assignment starts from.
    public static let empty = Assignment(members: [], owners: [:])

    /// An assignment of the partitions in `owners`.
    ///
    /// - Parameters:
    ///   - members: Everybody in the group; owners that are missing here are added.
    ///   - owners: The owner of each partition that has one.
    /// - Complexity: O(p log p + m log m) for p partitions and m members.
    public init(members: some Sequence<MemberID>, owners: [TopicPartition: MemberID]) {
        var partitions: [MemberID: [TopicPartition]] = [:]
        for member in members { partitions[member] = [] }
        for (partition, owner) in owners { partitions[owner, default: []].append(partition) }
        self.owners = owners
        self.partitionsByMember = partitions.mapValues { $0.sorted() }
        self.members = partitions.keys.sorted()
    }

    /// The partitions that `member` owns, ascending; empty for a stranger.
    public subscript(member: MemberID) -> [TopicPartition] { partitionsByMember[member] ?? [] }

    /// Who owns `partition`, or nil when nobody does.
    public func owner(of partition: TopicPartition) -> MemberID? { owners[partition] }

    /// All partitions that have an owner, ascending.
    public var partitions: [TopicPartition] { owners.keys.sorted() }

    /// The most partitions that one member owns less the fewest; zero without members.
    public var imbalance: Int {
        let counts = partitionsByMember.values.lazy.map(\.count)
        guard let most = counts.max(), let fewest = counts.min() else { return 0 }
        return most - fewest
    }

    /// How many partitions had another owner in `previous`; those that had none do not count.
    public func moves(from previous: Assignment) -> Int {
        owners.count { partition, owner in
            previous.owner(of: partition).map { $0 != owner } ?? false
        }
    }
}
