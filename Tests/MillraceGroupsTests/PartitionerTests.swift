import MillraceSystem
import Testing

import MillraceGroups

@Suite("Partitioners")
struct PartitionerTests {
    @Test(
        "Murmur2 agrees with Kafka's Java client",
        arguments: [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] as [(String, Int32)])
    func murmur2(text: String, hash: Int32) {
        #expect(Murmur2.hash(Array(text.utf8).span) == hash)
    }

    @Test("The partition of a key is the hash without its sign, modulo the partitions")
    func partitionOfKey() {
        let key = Array("21".utf8)
        #expect(Murmur2.partition(forKey: key.span, count: 1) == 0)
        #expect(
            Murmur2.partition(forKey: key.span, count: 7) == Int(-973_932_308 & 0x7fff_ffff) % 7)
    }

    @Test("Three consumers and ten messages, round-robin: 4, 3, 3")
    func workedExample() {
        var partitioner = Partitioner(.roundRobin, partitionCount: 3)
        let members: [MemberID] = ["one", "three", "two"]
        let assignment = Assignor.roundRobin.assign(
            members: members, partitions: TopicPartition.all(of: "messages", count: 3))
        var received: [MemberID: Int] = [:]
        for _ in 0..<10 {
            let partition = TopicPartition(topic: "messages", partition: partitioner.partition())
            received[assignment.owner(of: partition)!, default: 0] += 1
        }
        #expect(members.map { received[$0] } == [4, 3, 3])
    }

    @Test("Sticky stays until its batch is closed")
    func sticky() {
        var partitioner = Partitioner(.sticky, partitionCount: 2)
        var partitions: [Int] = []
        for row in 1...9 {
            partitions.append(partitioner.partition(forKey: Array("any".utf8).span))
            if row % 3 == 0 { partitioner.closeBatch() }
        }
        #expect(partitions == [0, 0, 0, 1, 1, 1, 0, 0, 0])
    }

    @Test("Hash goes by the key, and sticks without one")
    func hash() {
        var partitioner = Partitioner(.hash, partitionCount: 5)
        for number in 0..<200 {
            let key = Array("key-\(number)".utf8)
            let partition = partitioner.partition(forKey: key.span)
            #expect(partition == Murmur2.partition(forKey: key.span, count: 5))
            #expect(partitioner.partition() == 0)
        }
        partitioner.closeBatch()
        #expect(partitioner.partition() == 1)
    }

    @Test("A producer that resumes goes on in turn", arguments: PartitionerKind.allCases)
    func resume(kind: PartitionerKind) {
        var whole = Partitioner(kind, partitionCount: 3)
        func take(_ partitioner: inout Partitioner, _ rows: Int) -> [Int] {
            (0..<rows).map { _ in
                defer { partitioner.closeBatch() }
                return partitioner.partition()
            }
        }
        let all = take(&whole, 11)
        for stop in 0...11 {
            var rest = Partitioner(kind, partitionCount: 3, resumingAfter: UInt64(stop))
            #expect(take(&rest, 11 - stop) == Array(all[stop...]))
        }
    }

    @Test("Hashing any bytes traps nowhere and spreads", arguments: Seeds.all)
    func spread(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var counts = [Int](repeating: 0, count: 8)
        for _ in 0..<8000 {
            let length = random.number(in: 0...33)
            let key = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            // The shortest keys repeat; leave them out of the count.
            let partition = Murmur2.partition(forKey: key.span, count: 8)
            if length > 3 { counts[partition] += 1 }
        }
        let expected = Double(counts.reduce(0, +)) / 8
        #expect(counts.allSatisfy { abs(Double($0) - expected) < 6 * expected.squareRoot() })
    }
}
