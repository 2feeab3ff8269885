import MillraceSystem
import Testing

import MillraceGroups

@Suite("Assignors")
struct AssignorTests {
    /// Random members and topics, small enough that every kind of remainder occurs.
    struct Group {
        var members: [MemberID]
        var partitions: [TopicPartition]

        init(_ random: inout SplitMix64, maxMembers: Int = 9, maxPartitions: Int = 12) {
            members = (0..<random.number(in: 1...maxMembers)).map { _ in
                MemberID("member-\(random.number(in: 0...40))")
            }
            partitions = (0..<random.number(in: 0...4)).flatMap { topic in
                TopicPartition.all(
                    of: "topic-\(topic)", count: random.number(in: 0...maxPartitions))
            }
        }
    }

    @Test("Every partition has exactly one owner, whatever the order", arguments: Seeds.all)
    func totalAndPure(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<60 {
            let group = Group(&random)
            let previous = Assignor.hash.assign(
                members: Group(&random).members, partitions: Group(&random).partitions)
            for assignor in Assignor.allCases {
                let assignment = assignor.assign(
                    members: group.members, partitions: group.partitions, previous: previous)
                #expect(assignment.partitions == group.partitions.sorted())
                #expect(assignment.members == Set(group.members).sorted())
                #expect(
                    assignment.members.flatMap { assignment[$0] }.sorted()
                        == group.partitions.sorted())
                let again = assignor.assign(
                    members: group.members.shuffled(using: &random) + group.members,
                    partitions: group.partitions.shuffled(using: &random), previous: previous)
                #expect(again == assignment, "\(assignor) depends on the order of its arguments")
            }
        }
    }

    @Test("Nobody owns anything without members", arguments: Assignor.allCases)
    func noMembers(assignor: Assignor) {
        let partitions = TopicPartition.all(of: "t", count: 3)
        let assignment = assignor.assign(members: [], partitions: partitions)
        #expect(assignment == .empty)
        #expect(assignment.owner(of: partitions[0]) == nil)
    }

    @Test("Range gives consecutive partitions, the first members one more")
    func range() {
        let assignment = Assignor.range.assign(
            members: ["b", "c", "a"],
            partitions: TopicPartition.all(of: "x", count: 7)
                + TopicPartition.all(of: "y", count: 2))
        #expect(assignment["a"].description == "[x/0, x/1, x/2, y/0]")
        #expect(assignment["b"].description == "[x/3, x/4, y/1]")
        #expect(assignment["c"].description == "[x/5, x/6]")
    }

    @Test("Round-robin deals in turn, over topics")
    func roundRobin() {
        let assignment = Assignor.roundRobin.assign(
            members: ["a", "b"],
            partitions: TopicPartition.all(of: "x", count: 3)
                + TopicPartition.all(of: "y", count: 3))
        #expect(assignment["a"].description == "[x/0, x/2, y/1]")
        #expect(assignment["b"].description == "[x/1, y/0, y/2]")
    }

    @Test("Round-robin and sticky balance to one partition", arguments: Seeds.all)
    func balance(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var previous = Assignment.empty
        for _ in 0..<60 {
            let group = Group(&random)
            for assignor in [Assignor.roundRobin, .sticky] {
                let assignment = assignor.assign(
                    members: group.members, partitions: group.partitions, previous: previous)
                #expect(assignment.imbalance <= 1)
                previous = assignment
            }
        }
    }

    @Test("Sticky moves as little as any balanced assignment can", arguments: Seeds.all)
    func fewestMoves(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<60 {
            // Brute force tries members^partitions owners: keep both small.
            let before = Group(&random, maxMembers: 4, maxPartitions: 2)
            let after = Group(&random, maxMembers: 4, maxPartitions: 2)
            let previous = Self.anyAssignment(of: before, among: after.members, &random)
            let assignment = Assignor.sticky.assign(
                members: after.members, partitions: after.partitions, previous: previous)
            let fewest = Self.fewestMoves(after, previous)
            #expect(assignment.moves(from: previous) == fewest)
            let again = Assignor.sticky.assign(
                members: after.members, partitions: after.partitions, previous: assignment)
            #expect(again == assignment, "a settled group does not move")
        }
    }

    /// Partitions with owners at random, some of them members of the next group; hardly balanced.
    private static func anyAssignment(
        of group: Group, among others: [MemberID], _ random: inout SplitMix64
    ) -> Assignment {
        let members = group.members + others
        var owners: [TopicPartition: MemberID] = [:]
        for partition in group.partitions where random.unit() < 0.8 {
            owners[partition] = members.randomElement(using: &random)
        }
        return Assignment(members: members, owners: owners)
    }

    private static func fewestMoves(_ group: Group, _ previous: Assignment) -> Int {
        let members = Set(group.members).sorted()
        var fewest = Int.max
        var choice = Array(repeating: 0, count: group.partitions.count)
        while true {
            let owners = Dictionary(
                uniqueKeysWithValues: zip(group.partitions, choice.map { members[$0] }))
            let assignment = Assignment(members: members, owners: owners)
            if assignment.imbalance <= 1 { fewest = min(fewest, assignment.moves(from: previous)) }
            guard let digit = choice.firstIndex(where: { $0 < members.count - 1 }) else {
                return fewest
            }
            choice[digit] += 1
            for lower in 0..<digit { choice[lower] = 0 }
        }
    }

    @Test("Sticky keeps topics spread when a member joins")
    func topicsSpread() {
        let partitions =
            TopicPartition.all(of: "x", count: 4) + TopicPartition.all(of: "y", count: 4)
        let alone = Assignor.sticky.assign(members: ["a"], partitions: partitions)
        let both = Assignor.sticky.assign(
            members: ["a", "b"], partitions: partitions, previous: alone)
        for member in both.members {
            #expect(both[member].count { $0.topic == "x" } == 2)
            #expect(both[member].count { $0.topic == "y" } == 2)
        }
    }

    @Test("Rendezvous: who leaves or joins moves its own partitions only", arguments: Seeds.all)
    func rendezvous(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<40 {
            let group = Group(&random)
            let all = Assignor.hash.assign(members: group.members, partitions: group.partitions)
            let leaver = group.members[random.number(in: 0...group.members.count - 1)]
            let rest = Assignor.hash.assign(
                members: group.members.filter { $0 != leaver }, partitions: group.partitions)
            for partition in rest.partitions where all.owner(of: partition) != leaver {
                #expect(rest.owner(of: partition) == all.owner(of: partition))
            }
        }
    }

    @Test("Rendezvous spreads many partitions evenly")
    func rendezvousSpread() {
        let members = (0..<4).map { MemberID("slot-\($0)") }
        let assignment = Assignor.hash.assign(
            members: members, partitions: TopicPartition.all(of: "flights.raw", count: 4000))
        for member in members {
            // 1,000 expected, standard deviation 27.
            #expect((890...1110).contains(assignment[member].count))
        }
    }

    @Test(
        "Rendezvous scores stay what they are for ever",
        arguments: [
            ("slot-0", "flights.raw", 0, 0xc85c_5074_ecb6_f697),
            ("slot-1", "flights.raw", 0, 0x7615_7d37_ded7_a551),
            ("slot-0", "flights.raw", 1, 0x8a27_4a1a_72c2_f8b9),
            ("", "", 0, 0x074c_037c_01af_ed67),
            ("é", "t", 65_536, 0xded6_43ad_24a8_08c2),
        ] as [(String, String, Int, UInt64)])
    func scores(member: String, topic: String, partition: Int, score: UInt64) {
        #expect(
            Rendezvous.score(MemberID(member), TopicPartition(topic: topic, partition: partition))
                == score)
    }
}
