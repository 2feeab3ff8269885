import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Synchronization
import Testing

import MillraceGroups

/// How work flows through groups: who waits for whom, and for whom nobody waits.
@Suite("Flow of groups")
struct FlowTests {
    private let core = CPU.allowed()[0]

    private func thread(_ body: @escaping @Sendable () throws -> Void) throws -> PinnedThread {
        try PinnedThread(name: "member", core: nil) {
            do { try body() } catch { Issue.record(error) }
        }
    }

    private func waitUntil(_ condition: () throws -> Bool) throws {
        let end = Clock.monotonicNanoseconds() + 30_000_000_000
        while try !condition() {
            try #require(Clock.monotonicNanoseconds() < end, "waited for half a minute")
            PinnedThread.sleep(nanoseconds: 500_000)
        }
    }

    @Test("A slow group slows its own reading and nobody else")
    func slowGroup() throws {
        let fixture = try GroupFixture(partitions: 2)
        try fixture.append(batches: 20)
        let slow = try ConsumerGroup(
            data: fixture.data, name: "slow", topics: [fixture.topic], cores: [core])
        let isReleased = Atomic<Bool>(false)
        let begun = Atomic<Int>(0)
        let worker = try thread {
            try slow.consume(until: .whenDrained) { _, _, _ in
                begun.add(1, ordering: .relaxed)
                while !isReleased.load(ordering: .acquiring) {
                    PinnedThread.sleep(nanoseconds: 500_000)
                }
            }
        }
        try waitUntil { begun.load(ordering: .relaxed) == 1 }
        let fast = try ConsumerGroup(
            data: fixture.data, name: "fast", topics: [fixture.topic], cores: [core],
            coreSharing: .withinProcess)
        let read = Atomic<Int>(0)
        try fast.consumeToEnd { _, _ in read.add(1, ordering: .relaxed) }
        try fixture.append(batches: 5)
        #expect(read.load(ordering: .relaxed) == 40)
        // One batch in hand, not one more taken.
        #expect(begun.load(ordering: .relaxed) == 1)
        #expect(try slow.committed(fixture.partition(0)) == nil)
        slow.drain()
        isReleased.store(true, ordering: .releasing)
        worker.join()
        #expect(begun.load(ordering: .relaxed) == 1)
        let committed = try (0..<2).map { try slow.committed(fixture.partition($0)) }
        #expect(committed.compactMap(\.self) == [1], "the batch in hand was finished and committed")
    }

    @Test(
        "Retention waits for a group that reads, as far as the topic says",
        arguments: [nil, 1 << 30])
    func heldRows(bytes: Int?) throws {
        let directory = try TemporaryDirectory("millrace-held")
        let data = try DataDirectory(directory.path, create: true)
        let topic = try data.topic(
            "rows",
            creating: TopicConfiguration(
                kind: .features, features: 64, codec: .none, segmentBytes: 1 << 16,
                retention: RetentionPolicy(bytes: 1, heldBytes: bytes)))
        func append(batches: Int) throws {
            var writer = try topic.writer(partition: 0)
            var builder = BatchBuilder(columns: 64)
            for batch in 0..<batches {
                do {
                    var target = builder.addRows(100)
                    for index in target.indices { target[index] = Float(batch) }
                }
                try writer.append(&builder)
            }
            try writer.close()
        }
        // The first segment only, so that nothing can go before the group reads.
        try append(batches: 2)
        let group = try ConsumerGroup(data: data, name: "slow", topics: [topic], cores: [core])
        let hasBegun = Atomic<Bool>(false)
        let isReleased = Atomic<Bool>(false)
        let seen = Atomic<Int>(0)
        let failure = Lock<String?>(nil)
        let worker = try PinnedThread(name: "member", core: nil) {
            do { try read() } catch { failure.withLock { $0 = "\(error)" } }
        }
        @Sendable func read() throws {
            try group.consumeToEnd { _, batch in
                seen.add(batch.rows, ordering: .relaxed)
                hasBegun.store(true, ordering: .releasing)
                while !isReleased.load(ordering: .acquiring) {
                    PinnedThread.sleep(nanoseconds: 500_000)
                }
            }
        }
        try waitUntil { hasBegun.load(ordering: .acquiring) }
        try append(batches: 20)
        try topic.applyRetention()
        let start = try topic.startOffset(partition: 0)
        #expect(bytes == nil ? start > 200 : start == 0)
        isReleased.store(true, ordering: .releasing)
        worker.join()
        let said = failure.withLock { $0 }
        guard bytes != nil else {
            // What it has not read is gone, and it says so.
            #expect(said?.contains("rows") == true, "\(said ?? "nothing")")
            return
        }
        #expect(said == nil && seen.load(ordering: .relaxed) == 2200, "\(said ?? "")")
        try topic.applyRetention()
        #expect(try topic.startOffset(partition: 0) > 200)
    }

    @Test("A member that joins takes its share; what stays is not interrupted")
    func cooperative() throws {
        let fixture = try GroupFixture(partitions: 4)
        let first = try fixture.group(cores: [core])
        let isSettled = Atomic<Bool>(false)
        let mayEnd = Atomic<Bool>(false)
        let events = Lock<[String]>([])
        let worker = try thread {
            try first.run { consumer in
                while !mayEnd.load(ordering: .acquiring) {
                    if let changes = try consumer.changes() {
                        func note(_ what: String, _ claims: [GroupConsumer.Claim]) {
                            for claim in claims.sorted(by: { $0.partition < $1.partition }) {
                                let text = "\(what) \(claim.partition) \(claim.generation)"
                                events.withLock { $0.append(text) }
                            }
                        }
                        note("granted", changes.granted)
                        note("revoked", changes.revoked)
                        note("lost", changes.lost)
                        try consumer.release(changes.revoked)
                    }
                    isSettled.store(consumer.claims.count == 4, ordering: .releasing)
                    PinnedThread.sleep(nanoseconds: 200_000)
                }
            }
        }
        try waitUntil { isSettled.load(ordering: .acquiring) }
        let before = try fixture.catalog.describe("g")
        let second = try fixture.group(cores: [core])
        try waitUntil { try fixture.catalog.describe("g").state == .stable }
        let after = try fixture.catalog.describe("g")
        mayEnd.store(true, ordering: .releasing)
        worker.join()
        #expect(after.generation > before.generation)
        let stayed = zip(before.partitions, after.partitions).filter { $0.owner == $1.owner }
        let moved = zip(before.partitions, after.partitions).filter { $0.owner != $1.owner }
        #expect(stayed.count == 2 && moved.count == 2)
        #expect(stayed.allSatisfy { $0.generation == $1.generation })
        #expect(moved.allSatisfy { $0.generation < $1.generation })
        let expected =
            before.partitions.map { "granted \($0.partition) \($0.generation)" }
            + moved.map { "revoked \($0.0.partition) \($0.0.generation)" }
        #expect(events.withLock { $0 } == expected)
        _ = second.name
    }

    @Test("A member that waits for data is not taken for hung, however long it waits")
    func waitingIsNotHanging() throws {
        let fixture = try GroupFixture(partitions: 2)
        let options = MemberOptions(hangMilliseconds: 150)
        let groups = try [0, 1].map { _ in
            try fixture.group(cores: [core], options: options)
        }
        let threads = try groups.map { group in
            try thread { try group.consume(until: .whenDrained) { _, _, _ in } }
        }
        try waitUntil { try fixture.catalog.describe("g").state == .stable }
        let before = try fixture.catalog.describe("g")
        PinnedThread.sleep(nanoseconds: 900_000_000)
        let after = try fixture.catalog.describe("g")
        #expect(after.generation == before.generation)
        #expect(after.members == before.members && after.members.count == 2)
        for group in groups { group.drain() }
        for thread in threads { thread.join() }
    }

    @Test("Who commits by hand commits what it says, and nothing else is")
    func byHandler() throws {
        let fixture = try GroupFixture(partitions: 1)
        var writer = try fixture.topic.writer(partition: 0)
        for _ in 0..<2 {
            var builder = BatchBuilder()
            for row in 0..<10 { builder.append(value: "\(row)".utf8) }
            try writer.append(&builder)
        }
        let group = try fixture.group(cores: [core])
        try group.consume(until: .atEnd, committing: .byHandler) { _, _, _ in }
        #expect(try group.committed(fixture.partition(0)) == nil)
        try group.consume(until: .atEnd, committing: .byHandler) { consumer, claim, batch in
            guard batch.baseOffset == 0 else { return }
            // The last row consumed is 3.
            try consumer.commit(claim, next: 4)
        }
        #expect(try group.committed(fixture.partition(0)) == 4)
        let seen = Lock<[UInt64]>([])
        try group.consume(until: .atEnd, committing: .byHandler) { _, _, batch in
            seen.withLock { $0 += [batch.baseOffset, UInt64(batch.skippedRows)] }
        }
        #expect(seen.withLock { $0 } == [0, 4, 10, 0])
    }

    @Test("An error on one core ends the work on the others, and is thrown")
    func errorOnOneCore() throws {
        struct Refusal: Error {}
        let cores = Array(CPU.allowed().prefix(2))
        guard cores.count == 2 else { return }
        let fixture = try GroupFixture(partitions: 2)
        try fixture.append(batches: 4)
        let group = try fixture.group(cores: cores)
        let hasFailed = Atomic<Bool>(false)
        #expect(throws: Refusal.self) {
            try group.consume(until: .whenDrained) { consumer, claim, batch in
                // Once: who gets the partition next could go on.
                guard claim.partition.partition == 0, batch.baseOffset == 2 else { return }
                if !hasFailed.exchange(true, ordering: .relaxed) { throw Refusal() }
            }
        }
        try group.consumeToEnd { _, _ in }
        #expect(try group.committed(fixture.partition(0)) == 4)
        #expect(try group.committed(fixture.partition(1)) == 4)
    }

    @Test("A group is run once at a time, and again afterwards")
    func runTwice() throws {
        let fixture = try GroupFixture(partitions: 1)
        let group = try fixture.group(cores: [core])
        try group.run { _ in
            let error = #expect(throws: GroupError.self) { try group.run { _ in } }
            #expect(error?.code == .inUse)
        }
        try group.run { consumer in
            let changes = try consumer.changes()
            #expect(changes?.granted.count == 1)
        }
    }

    @Test("Times begin at the first row that is young enough")
    func startAtATime() throws {
        let fixture = try GroupFixture(partitions: 1)
        var writer = try fixture.topic.writer(partition: 0)
        for row in 0..<6 {
            var builder = BatchBuilder()
            let value = Array("\(row)".utf8)
            builder.append(value: value.span, timestamp: Int64(row) * 1000)
            try writer.append(&builder)
        }
        for (time, first) in [(0, 0), (1, 1), (3000, 3), (4001, 5)] as [(Int64, UInt64)] {
            let group = try ConsumerGroup(
                data: fixture.data, name: "t-\(time)", topics: [fixture.topic], cores: [core])
            let seen = Lock<[UInt64]>([])
            try group.consume(until: .atEnd, from: .time(time)) { _, _, batch in
                seen.withLock { $0.append(batch.baseOffset) }
            }
            #expect(seen.withLock { $0.first } == first, "\(time)")
        }
    }
}
