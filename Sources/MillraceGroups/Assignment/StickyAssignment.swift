/// The work of `Assignor.sticky`: keeps what balance allows and deals out the rest.
///
/// With p partitions and m members, balance to one partition means that `p % m` members own
/// `p / m + 1` and the others `p / m`. A member keeps at most its share, so the number of moves is
/// least when the larger shares go to those who own most already.
struct StickyAssignment {
    private let members: [MemberID]
    private let partitions: [TopicPartition]
    /// For each partition, which topic it belongs to, counted from zero.
    private let topics: [Int]
    private let topicCount: Int
    /// For each member, the indices of the partitions it has, ascending.
    private var held: [[Int]]
    /// For each member and topic, how many of the topic's partitions the member has.
    private var heldOfTopic: [Int]
    /// Indices of the partitions that nobody has.
    private var free: [Int] = []

    /// - Parameters:
    ///   - members: Distinct and ascending; at least one.
    ///   - partitions: Distinct and ascending.
    ///   - previous: The assignment to keep to.
    init(_ members: [MemberID], _ partitions: [TopicPartition], _ previous: Assignment) {
        self.members = members
        self.partitions = partitions
        var topics: [Int] = []
        for (index, partition) in partitions.enumerated() {
            let isNew = index > 0 && partitions[index - 1].topic != partition.topic
            topics.append((topics.last ?? 0) + (isNew ? 1 : 0))
        }
        self.topics = topics
        topicCount = (topics.last ?? 0) + 1
        held = Array(repeating: [], count: members.count)
        heldOfTopic = Array(repeating: 0, count: members.count * topicCount)

        let indices = Dictionary(uniqueKeysWithValues: zip(members, members.indices))
        for (index, partition) in partitions.enumerated() {
            if let owner = previous.owner(of: partition).flatMap({ indices[$0] }) {
                give(index, to: owner)
            } else {
                free.append(index)
            }
        }
    }

    /// The owner of each partition.
    consuming func owners() -> [TopicPartition: MemberID] {
        let shares = shares()
        for member in members.indices {
            while held[member].count > shares[member] { release(from: member) }
        }
        for partition in free.sorted() {
            // The shares add up to all partitions, so while one is free a member has room for it.
            let ranked = members.indices.lazy
                .filter { [held] in held[$0].count < shares[$0] }
                .min { [self] in rank($0, for: partition) < rank($1, for: partition) }
            if let member = ranked { give(partition, to: member) }
        }
        var owners: [TopicPartition: MemberID] = [:]
        for (member, indices) in zip(members, held) {
            for index in indices { owners[partitions[index]] = member }
        }
        return owners
    }

    /// How many partitions each member is to own.
    private func shares() -> [Int] {
        let (share, extra) = partitions.count.quotientAndRemainder(dividingBy: members.count)
        var shares = Array(repeating: share, count: members.count)
        let byHeld = members.indices.sorted {
            (held[$1].count, $0) < (held[$0].count, $1)
        }
        for member in byHeld.prefix(extra) { shares[member] += 1 }
        return shares
    }

    /// Who is to get a free partition: fewest of its topic first, then fewest in all, then by name.
    private func rank(_ member: Int, for partition: Int) -> (Int, Int, Int) {
        (heldOfTopic[member * topicCount + topics[partition]], held[member].count, member)
    }

    private mutating func give(_ partition: Int, to member: Int) {
        held[member].append(partition)
        heldOfTopic[member * topicCount + topics[partition]] += 1
    }

    /// Takes one partition away: the last of the topic of which the member has most.
    private mutating func release(from member: Int) {
        let counts = heldOfTopic[member * topicCount..<(member + 1) * topicCount]
        guard let most = counts.max(), let slot = counts.lastIndex(of: most),
            let position = held[member].lastIndex(where: {
                topics[$0] == slot - member * topicCount
            })
        else { preconditionFailure("a member without partitions was asked for one") }
        free.append(held[member].remove(at: position))
        heldOfTopic[slot] -= 1
    }
}
