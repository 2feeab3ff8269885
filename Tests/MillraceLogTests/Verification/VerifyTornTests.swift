import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// After a crash of the machine: what verification calls torn is what recovery drops, and what it
/// calls a fault is what recovery refuses.
@Suite struct VerifyTornTests {
    private static func topic(_ what: String, codec: Codec = .none) throws -> (
        DamagedTopic, SplitMix64
    ) {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("\(what) seed \(seed)")
        return (try DamagedTopic(codec: codec, seed: seed), SplitMix64(seed: seed &+ 1))
    }

    private static func position(_ batch: DamagedTopic.Batch, _ topic: DamagedTopic) throws
        -> UInt64
    {
        let entry = try #require(
            try topic.fixture.files.segments(from: 0).entries.first { $0.path == batch.path })
        return entry.header.basePosition + UInt64(batch.at - SegmentHeader.byteCount)
    }

    @Test func aTornEnd() throws {
        let (topic, _) = try Self.topic("torn end")
        let last = try #require(topic.batches.last { !$0.offsets.isEmpty })
        let control = try topic.fixture.control()
        let before = try Self.position(topic.batches[topic.batches.count - 30], topic)
        control.durable.storeReleasing(CheckedWord.seal(before >> 6))
        try Damage.flip(last.path, bit: (last.at + last.header.headerBytes) * 8)
        #expect(try topic.verify().faults.contains { $0.effect == .rows } == true)
        try topic.fixture.pretendMachineRestarted()
        let found = try topic.verify()
        #expect(found.faults == [])
        #expect(found.notes.map(\.path) == [last.path])
        try topic.expectSalvage(keeps: Array(0..<last.offsets.lowerBound))
        // What was durable is not torn, and damage to an older segment is none of this.
        let end = try control.publishedValue().position
        control.durable.storeReleasing(CheckedWord.seal(end >> 6))
        #expect(try topic.verify().faults.map(\.path) == [last.path])
        let first = topic.batches[0]
        try Damage.flip(first.path, bit: first.at * 8)
        #expect(try topic.verify().faults.map(\.path) == [first.path, last.path])
    }

    /// A later batch knows that the damaged one was durable, which the page has forgotten.
    @Test func anAttestedBatchIsNotTorn() throws {
        let (topic, _) = try Self.topic("attested")
        let attesting = try #require(
            topic.batches.last { $0.header.durable > 0 && $0.path == topic.segments.last })
        let damaged = try #require(
            try topic.batches.last {
                try Self.position($0, topic) < attesting.header.durable && !$0.offsets.isEmpty
            })
        let control = try topic.fixture.control()
        control.durable.storeReleasing(CheckedWord.seal(0))
        try topic.fixture.pretendMachineRestarted()
        try Damage.flip(damaged.path, bit: (damaged.at + damaged.header.headerBytes) * 8)
        let found = try topic.verify()
        #expect(found.faults.map(\.path) == [damaged.path])
        #expect(found.faults.first?.lostOffsets == damaged.offsets)
        let code = logErrorCode { () throws(LogError) in
            _ = try topic.fixture.topic.writer(partition: 0)
        }
        #expect(code == .corrupt)
    }

    private static func damage(
        _ topic: DamagedTopic, whole: [String: [UInt8]], _ random: inout SplitMix64
    ) throws {
        let control = try topic.fixture.control()
        let position = try control.publishedValue().position
        let segments = topic.segments.suffix(3)
        for _ in 0..<Int(random.next() % 4) {
            // Half of it near the end, where nothing attests.
            let isLate = random.next() % 2 == 0
            let number = isLate ? segments.count - 1 : Int(random.next() % 3)
            let path = segments[segments.startIndex + number]
            let used = topic.batches.last { $0.path == path }?.bytes.upperBound ?? 0
            let first = isLate ? used - min(used, 4_000) : 0
            let start = (first + Int(random.next() % UInt64(used - first))) & ~511
            switch random.next() % 4 {
            case 0: try Damage.truncate(path, to: min(start + 77, try Files.size(path)))
            case 1: try Damage.flip(path, bit: (start + Int(random.next() % 512)) * 8)
            default:
                let zeros = [UInt8](repeating: 0, count: 512)
                try FileHandle(path, .readWrite).write(zeros, at: start)
            }
        }
        let durable = random.next() % 2 == 0 ? 0 : random.next() % (position / 64 + 1)
        if random.next() % 4 != 0 { control.durable.storeReleasing(CheckedWord.seal(durable)) }
    }

    private static func restore(_ topic: DamagedTopic, _ whole: [String: [UInt8]]) throws {
        for name in try Files.list(topic.fixture.partitionPath) {
            let path = topic.fixture.partitionPath + "/" + name
            if whole[path] == nil { try Files.remove(path) }
        }
        for (path, bytes) in whole {
            if Files.exists(path) {
                try Damage.overwrite(path, with: bytes)
            } else {
                try Files.writeDurably(path, bytes)
            }
        }
    }

    @Test(arguments: Codec.allCases)
    func verificationAndRecoveryAgree(_ codec: Codec) throws {
        var (topic, random) = try Self.topic("agreement", codec: codec)
        try topic.fixture.pretendMachineRestarted()
        let whole = try topic.content()
        var refused = 0
        var torn = 0
        for turn in 0..<100 {
            try Self.damage(topic, whole: whole, &random)
            let found = try topic.verify()
            #expect(try topic.verify() == found)
            var rows: Int?
            let code = logErrorCode { () throws(LogError) in
                var reader = try topic.fixture.topic.reader(partition: 0)
                rows = try Rows.offsets(&reader)?.count
            }
            // Rows are lost, or a segment's header, without which nothing is read.
            let mustRefuse = found.faults.contains {
                $0.effect == .rows
                    || $0.path.hasSuffix(".log") && $0.position ?? 0 < SegmentHeader.byteCount
            }
            if mustRefuse {
                #expect(code == .corrupt, "turn \(turn)")
                refused += 1
            } else {
                #expect(code == nil, "turn \(turn)")
                #expect(rows.map(UInt64.init) == found.counts.rows, "turn \(turn)")
                let after = try topic.verify()
                #expect(after.faults.filter { $0.effect == .rows } == [], "turn \(turn)")
                #expect(after.counts.rows == found.counts.rows, "turn \(turn)")
                torn += found.notes.isEmpty ? 0 : 1
            }
            try Self.restore(topic, whole)
        }
        print("\(refused) refused, \(torn) torn")
        #expect(refused > 10 && torn > 10)
    }
}
