import MillraceGroups

/// Kafka's sticky assignor for members that all read the same topics, as an oracle: what ours moves
/// is never more.
///
/// Written from the description of the algorithm: members keep what they own up to the larger
/// share, those below the smaller share are filled in turn, then robbed for, and what is left goes
/// to those at the smaller share.
///
/// - Source: Apache Kafka, `AbstractStickyAssignor.constrainedAssign` (KIP-54, KIP-429).
struct KafkaSticky {
    private let members: [MemberID]
    private let fewest: Int
    private let most: Int
    private var owned: [MemberID: [TopicPartition]] = [:]
    private var free: [TopicPartition]

    /// - Parameter previous: What each member still here owns; the order within a member counts.
    static func assign(
        members: [MemberID], partitions: [TopicPartition], previous: [MemberID: [TopicPartition]]
    ) -> [MemberID: [TopicPartition]] {
        guard !members.isEmpty else { return [:] }
        var sticky = KafkaSticky(members, partitions, previous)
        sticky.fill()
        return sticky.owned
    }

    private init(
        _ members: [MemberID], _ partitions: [TopicPartition],
        _ previous: [MemberID: [TopicPartition]]
    ) {
        self.members = members.sorted()
        fewest = partitions.count / members.count
        most = (partitions.count + members.count - 1) / members.count
        let known = Set(partitions)
        for member in members {
            owned[member] = Array((previous[member] ?? []).filter(known.contains).prefix(most))
        }
        let kept = Set(owned.values.flatMap { $0 })
        free = partitions.sorted().filter { !kept.contains($0) }
    }

    private func count(_ member: MemberID) -> Int { owned[member]?.count ?? 0 }

    private mutating func fill() {
        var atMost = members.filter { count($0) == most }
        var atFewest = members.filter { count($0) == fewest && fewest < most }
        var unfilled = members.filter { count($0) < fewest }
        // In turn, one partition each, up to the smaller share.
        while !unfilled.isEmpty, !free.isEmpty {
            for member in unfilled where !free.isEmpty {
                owned[member, default: []].append(free.removeFirst())
                if count(member) == fewest { atFewest.append(member) }
            }
            unfilled.removeAll { count($0) == fewest }
        }
        for member in unfilled {
            while count(member) < fewest {
                let robbed = atMost.removeFirst()
                if let taken = owned[robbed]?.removeFirst() {
                    owned[member, default: []].append(taken)
                }
            }
            atFewest.append(member)
        }
        for partition in free { owned[atFewest.removeFirst(), default: []].append(partition) }
        free = []
    }
}
