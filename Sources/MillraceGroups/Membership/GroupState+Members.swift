package import MillraceSystem

/// How members come and go.
extension GroupState {
    /// A member that wants to join.
    package struct Candidate: Sendable, Equatable {
        package var number: Int
        package var id: MemberID
        package var process: ProcessIdentity
        package var core: Int
        package var isStatic: Bool
        package var graceNanoseconds: Int64
        package var hangNanoseconds: Int64

        package init(
            number: Int, id: MemberID, process: ProcessIdentity, core: Int, isStatic: Bool,
            graceNanoseconds: Int64, hangNanoseconds: Int64
        ) {
            self.number = number
            self.id = id
            self.process = process
            self.core = core
            self.isStatic = isStatic
            self.graceNanoseconds = graceNanoseconds
            self.hangNanoseconds = hangNanoseconds
        }
    }

    /// Why somebody may not join.
    package enum Refusal: Error, Equatable {
        /// The group is one process's alone, and that process lives.
        case inUse(Member)
        /// The members that are here read other topics or share them out in another way.
        case otherSubscription
        /// The instance lives.
        case instanceInUse(Member)
        case tooManyMembers
        case tooManyPartitions
    }

    /// A topic as a candidate sees it.
    package struct TopicShape: Sendable, Equatable {
        package var name: String
        package var id: UInt64
        /// The numbers of the partitions that are read.
        package var partitions: [Int]

        package init(name: String, id: UInt64, partitions: [Int]) {
            self.name = name
            self.id = id
            self.partitions = partitions
        }

        /// All of a topic that has `count` of them.
        package init(name: String, id: UInt64, partitions count: Int) {
            self.init(name: name, id: id, partitions: Array(0..<count))
        }
    }

    package static let maxMembers = 256
    package static let maxPartitions = 4096

    /// Takes members in, all or none; returns their keys.
    ///
    /// Who is dead must have been taken out before: `observe`.
    package mutating func join(
        _ candidates: [Candidate], _ wanted: Subscription, _ topics: [TopicShape]
    ) throws(Refusal) -> [UInt32] {
        var next = self
        let present = next.members.first { !$0.isAway }
        if let present {
            if wanted.isExclusive || subscription.isExclusive { throw .inUse(present) }
            guard wanted == subscription else { throw .otherSubscription }
        }
        next.exists = true
        next.subscription = wanted
        try next.register(topics)
        var keys: [UInt32] = []
        for candidate in candidates { keys.append(try next.admit(candidate)) }
        next.share()
        next.finish(after: self)
        self = next
        return keys
    }

    private mutating func admit(_ candidate: Candidate) throws(Refusal) -> UInt32 {
        if let index = members.firstIndex(where: { $0.id == candidate.id }) {
            guard members[index].isAway else { throw .instanceInUse(members[index]) }
            members[index].number = candidate.number
            members[index].process = candidate.process
            members[index].core = candidate.core
            members[index].graceNanoseconds = candidate.graceNanoseconds
            members[index].hangNanoseconds = candidate.hangNanoseconds
            members[index].awayUntil = 0
            return members[index].key
        }
        guard members.count < Self.maxMembers, nextKey < .max else { throw .tooManyMembers }
        let key = nextKey
        nextKey += 1
        members.append(
            Member(
                key: key, number: candidate.number, id: candidate.id, process: candidate.process,
                core: candidate.core, isStatic: candidate.isStatic,
                graceNanoseconds: candidate.graceNanoseconds,
                hangNanoseconds: candidate.hangNanoseconds))
        return key
    }

    /// Makes the partitions of the topics known, and no others read.
    private mutating func register(_ topics: [TopicShape]) throws(Refusal) {
        var indices: [TopicPartition: Int] = [:]
        for index in partitions.indices {
            partitions[index].isRead = false
            indices[partitions[index].partition] = index
        }
        for topic in topics {
            for number in topic.partitions {
                let partition = TopicPartition(topic: topic.name, partition: number)
                guard let index = indices[partition] else {
                    guard partitions.count < Self.maxPartitions else { throw .tooManyPartitions }
                    indices[partition] = partitions.count
                    partitions.append(
                        Partition(
                            partition: partition, topicID: topic.id, isRead: true,
                            validFrom: nextGeneration))
                    continue
                }
                partitions[index].isRead = true
                if partitions[index].topicID != topic.id {
                    // Offsets of a topic that is gone mean nothing in another of its name.
                    partitions[index].topicID = topic.id
                    partitions[index].committed = nil
                    partitions[index].superseded = nil
                    partitions[index].validFrom = nextGeneration
                }
            }
        }
    }

    /// Takes note of members that go of their own will, having stopped work on what they own.
    ///
    /// The partitions of a static member wait for its return.
    package mutating func leave(_ keys: [UInt32], now: Int64) {
        let before = self
        depart(keys, now: now)
        finish(after: before)
    }

    /// Takes note of what was seen of the members.
    ///
    /// - Parameters:
    ///   - dead: Whose process the kernel says is gone.
    ///   - hung: Who has not moved for too long; not waited for.
    ///   - now: The monotonic clock, for whom is waited no longer.
    package mutating func observe(dead: [UInt32], hung: [UInt32], now: Int64) {
        let before = self
        depart(dead, now: now)
        for index in partitions.indices where hung.contains(partitions[index].owner) {
            partitions[index].isContested = true
        }
        remove { hung.contains($0.key) || ($0.isAway && $0.awayUntil <= now) }
        finish(after: before)
    }

    private mutating func depart(_ keys: [UInt32], now: Int64) {
        for index in members.indices
        where keys.contains(members[index].key) && !members[index].isAway
            && members[index].isStatic && members[index].graceNanoseconds > 0
        {
            members[index].awayUntil = now.adding(clamped: members[index].graceNanoseconds)
            disown(members[index].key)
        }
        remove { keys.contains($0.key) && !$0.isAway }
    }

    private mutating func remove(_ isGone: (Member) -> Bool) {
        let gone = members.filter(isGone)
        guard !gone.isEmpty else { return }
        for member in gone { disown(member.key) }
        members.removeAll { member in gone.contains { $0.key == member.key } }
        share()
    }

    private mutating func disown(_ key: UInt32) {
        for index in partitions.indices where partitions[index].owner == key {
            partitions[index].owner = 0
        }
    }
}
