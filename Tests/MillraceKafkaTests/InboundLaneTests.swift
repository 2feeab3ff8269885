import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceKafka

/// Where a lane goes on, whatever offsets there are: without a cluster, so with gaps of any kind.
@Suite struct InboundLaneTests {
    private func lane(
        _ topic: Topic, _ partition: Int = 0, policy: BadRecordPolicy = .stop, start: Int64 = 0
    ) throws -> InboundLane {
        try InboundLane(
            topic, source: "kafka:c/t", partition: partition, format: .bytes, policy: policy,
            start: start)
    }

    private func record(_ offset: Int64) -> TestRecord {
        TestRecord(value: Array("\(offset)".utf8), milliseconds: offset % 1_000_000)
    }

    /// Offsets with gaps, some of them wider than a batch can say.
    private func offsets(_ random: inout SplitMix64) -> [Int64] {
        var next: Int64 = 5
        return (0..<300).map { _ in
            switch random.next() % 20 {
            case 0: next += 1_000
            case 1: next += 5_000_000_000
            default: next += Int64(random.next() % 3)
            }
            next += 1
            return next
        }
    }

    /// Abandoned at any record, and begun anew: each record once, in order, where it came from.
    @Test func goesOnWhereTheLogSays() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        let log = try TestLog()
        let topic = try log.create("t", TopicConfiguration(kind: .bytes))
        let offsets = offsets(&random)
        var restarts = 0
        while true {
            let lane = try lane(topic)
            // What a consumer would give: from the lane's offset on, or from before it.
            let begin = lane.next - Int64(random.next() % 3)
            let rest = offsets.filter { $0 >= begin }
            let most = Int(random.next() % 60)
            for offset in rest.prefix(most) {
                try lane.take(record(offset), offset: offset)
                if random.next() % 8 == 0 { try lane.append() }
            }
            guard rest.count <= most else {
                // Abandoned with rows that were not appended, as by a kill.
                restarts += 1
                try #require(restarts < 1_000)
                continue
            }
            try lane.append()
            try lane.close()
            break
        }
        #expect(restarts > 2)
        let rows = try log.rows("t", partition: 0)
        #expect(rows.map { String(decoding: $0.value, as: UTF8.self) } == offsets.map { "\($0)" })
        #expect(rows.map(\.source) == offsets.map { UInt64($0) }, "seed \(seed)")
        #expect(try lane(topic).next == (offsets.last ?? 0) + 1)
    }

    /// Of two at once the later to append is refused, and nothing is there twice.
    @Test func onlyOneAtATime() throws {
        let log = try TestLog()
        let topic = try log.create("t", TopicConfiguration(kind: .bytes))
        let (first, second) = (try lane(topic), try lane(topic))
        try first.take(record(0), offset: 0)
        try second.take(record(0), offset: 0)
        try second.take(record(1), offset: 1)
        try second.append()
        let error = #expect(throws: KafkaError.self) { try first.append() }
        #expect(error?.code == .fenced)
        #expect(try log.rows("t", partition: 0).count == 2)
    }

    /// Partitions of Kafka that share one of the log do not disturb each other.
    @Test func sharedPartitions() throws {
        let log = try TestLog()
        let topic = try log.create("t", TopicConfiguration(partitions: 2, kind: .bytes))
        for turn in 0..<4 as Range<Int64> {
            for partition in 0..<5 {
                let lane = try lane(topic, partition)
                #expect(lane.next == turn * 10 && lane.target == partition % 2)
                try lane.take(record(turn * 10 + 9), offset: turn * 10 + 9)
                try lane.append()
            }
        }
        #expect(try log.rows("t", partition: 0).count == 12)
        #expect(try log.rows("t", partition: 1).count == 8)
    }

    /// What is left out is recorded with its offset, and not asked for again.
    @Test func skipsAreRecorded() throws {
        let log = try TestLog()
        let topic = try log.create("t", TopicConfiguration(kind: .features, features: 1))
        func lane(_ policy: BadRecordPolicy) throws -> InboundLane {
            try InboundLane(
                topic, source: "kafka:c/t", partition: 0, format: .json, policy: policy, start: 3)
        }
        let good = TestRecord(value: Array(#"{"features":[1]}"#.utf8))
        let bad = TestRecord(value: Array("oops".utf8))
        let skipping = try lane(.skip)
        try skipping.take(good, offset: 3)
        try skipping.take(bad, offset: 4)
        try skipping.take(TestRecord(value: nil, key: [1]), offset: 9)
        try skipping.append()
        #expect(skipping.skipped == [.undecodable: 1, .noValue: 1] && skipping.rows == 1)
        // A batch of nothing but drops counts as well.
        try skipping.take(bad, offset: 10)
        try skipping.append()
        #expect(try log.drops("t", partition: 0) == [4: 81, 9: 80, 10: 81])
        let stopping = try lane(.stop)
        #expect(stopping.next == 11)
        try stopping.take(good, offset: 11)
        let error = #expect(throws: KafkaError.self) { try stopping.take(bad, offset: 12) }
        #expect(error?.code == .badRecord)
        #expect(error?.place == "kafka://h:9092/t, partition 0, offset 12")
        // What came before it is in the log, and it is the next.
        #expect(try log.rows("t", partition: 0).count == 2)
        #expect(try lane(.stop).next == 12)
    }

    @Test func offsetsBeyondWhatTheLogRecords() throws {
        let log = try TestLog()
        let topic = try log.create("t", TopicConfiguration(kind: .bytes))
        let lane = try lane(topic)
        for offset in [Int64(1) << 55, .max] {
            let error = #expect(throws: KafkaError.self) {
                try lane.take(record(offset), offset: offset)
            }
            #expect(error?.code == .offsetOutOfRange)
        }
        let last = Int64(1) << 55 - 2
        try lane.take(record(last), offset: last)
        try lane.append()
        #expect(try self.lane(topic).next == last + 1)
    }
}
