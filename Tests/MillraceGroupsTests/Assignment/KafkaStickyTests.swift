import MillraceSystem
import Testing

import MillraceGroups

/// Our sticky assignor beside Kafka's, on random histories of members and topics.
@Suite("Sticky beside Kafka's")
struct KafkaStickyTests {
    /// A group through time: members come and go, partitions are added.
    private struct History {
        var members: [MemberID] = ["first"]
        var counts = [3]
        private var number = 0

        var partitions: [TopicPartition] {
            counts.enumerated().flatMap { TopicPartition.all(of: "t\($0)", count: $1) }
        }

        mutating func change(_ random: inout SplitMix64) {
            switch random.next() % 8 {
            case 0..<3:
                number += 1
                // Names in no order: late members may come first in the order of names.
                members.append(MemberID("\(random.next() % 1000)-\(number)"))
            case 3..<6 where members.count > 1:
                members.remove(at: random.number(in: 0...members.count - 1))
            case 6: counts[random.number(in: 0...counts.count - 1)] += random.number(in: 1...3)
            default: if counts.count < 4 { counts.append(random.number(in: 1...9)) }
            }
        }
    }

    private static func assignment(_ owned: [MemberID: [TopicPartition]]) -> Assignment {
        var owners: [TopicPartition: MemberID] = [:]
        for (member, partitions) in owned { for item in partitions { owners[item] = member } }
        return Assignment(members: owned.keys, owners: owners)
    }

    @Test(
        "Step by step, ours moves at most as many, from its own past and from Kafka's",
        arguments: Seeds.all)
    func steps(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<20 {
            var history = History()
            var kafka: [MemberID: [TopicPartition]] = [:]
            var ours = Assignment.empty
            for step in 0..<40 {
                let (members, partitions) = (history.members, history.partitions)
                let theirs = KafkaSticky.assign(
                    members: members, partitions: partitions, previous: kafka)
                #expect(Self.assignment(theirs).imbalance <= 1, "the oracle is balanced")
                #expect(Self.assignment(theirs).partitions == partitions.sorted())
                let past = Self.assignment(kafka)
                let beside = Assignor.sticky.assign(
                    members: members, partitions: partitions, previous: past)
                #expect(
                    beside.moves(from: past) <= Self.assignment(theirs).moves(from: past),
                    "step \(step) from Kafka's past")

                let next = Assignor.sticky.assign(
                    members: members, partitions: partitions, previous: ours)
                let copy = KafkaSticky.assign(
                    members: members, partitions: partitions,
                    previous: Dictionary(uniqueKeysWithValues: ours.members.map { ($0, ours[$0]) }))
                #expect(
                    next.moves(from: ours) <= Self.assignment(copy).moves(from: ours),
                    "step \(step) from our past")
                (kafka, ours) = (theirs, next)
                history.change(&random)
            }
        }
    }

    /// Who owns one more than the others when a member leaves is chance; so is the difference.
    @Test("Over many histories, each with its own past, both move as many in all")
    func wholeHistories() {
        var random = SplitMix64(seed: 20)
        var (ours, theirs) = (0, 0)
        for _ in 0..<300 {
            var history = History()
            var kafka: [MemberID: [TopicPartition]] = [:]
            var past = Assignment.empty
            for _ in 0..<30 {
                let next = Assignor.sticky.assign(
                    members: history.members, partitions: history.partitions, previous: past)
                let other = KafkaSticky.assign(
                    members: history.members, partitions: history.partitions, previous: kafka)
                ours += next.moves(from: past)
                theirs += Self.assignment(other).moves(from: Self.assignment(kafka))
                (past, kafka) = (next, other)
                history.change(&random)
            }
        }
        print("sticky moved \(ours) partitions, Kafka's \(theirs)")
        #expect(Double(ours) < 1.01 * Double(theirs))
    }

    @Test("The worked examples of Kafka's own description")
    func oracle() {
        let partitions =
            ["t0", "t1", "t2", "t3"].flatMap { TopicPartition.all(of: $0, count: 2) }
        let three = KafkaSticky.assign(
            members: ["C0", "C1", "C2"], partitions: partitions, previous: [:])
        // KIP-54: a consumer that goes leaves the others what they have.
        let two = KafkaSticky.assign(
            members: ["C0", "C2"], partitions: partitions,
            previous: three.filter { $0.key != "C1" })
        for member in ["C0", "C2"] as [MemberID] {
            #expect(Set(two[member] ?? []).isSuperset(of: three[member] ?? []))
            #expect(two[member]?.count == 4)
        }
    }
}
