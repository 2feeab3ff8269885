import Glibc
import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Synchronization
import Testing

import MillraceGroups

/// A data directory with one topic of rows that are numbered.
final class GroupFixture: Sendable {
    let directory: TemporaryDirectory
    let data: DataDirectory
    let topic: Topic

    init(partitions: Int) throws {
        directory = try TemporaryDirectory("millrace-groups", inMemory: true)
        data = try DataDirectory(directory.path, create: true)
        topic = try data.topic(
            "rows", creating: TopicConfiguration(partitions: partitions, kind: .bytes))
    }

    /// Appends batches of one row each to every partition.
    func append(batches: Int) throws {
        for partition in 0..<topic.partitions {
            var writer = try topic.writer(partition: partition)
            for number in 0..<batches {
                var builder = BatchBuilder()
                builder.append(value: "\(partition): \(number)".utf8)
                try writer.append(&builder)
            }
        }
    }

    func group(
        cores: [Int] = [0], topics: [Topic]? = nil, assignor: Assignor = .sticky,
        isExclusive: Bool = false, options: MemberOptions = MemberOptions()
    ) throws(GroupError) -> ConsumerGroup {
        try ConsumerGroup(
            data: data, name: "g", topics: topics ?? [topic], cores: cores, assignor: assignor,
            isExclusive: isExclusive, options: options)
    }

    var catalog: GroupCatalog { GroupCatalog(data) }

    func partition(_ number: Int) -> TopicPartition {
        TopicPartition(topic: "rows", partition: number)
    }
}

@Suite("Consumer groups")
struct ConsumerGroupTests {
    @Test("A group reads each row once, and goes on where it stopped")
    func consumeToEnd() throws {
        let fixture = try GroupFixture(partitions: 3)
        for round in 1...2 {
            try fixture.append(batches: 5)
            let seen = Lock<[UInt64]>([])
            let group = try fixture.group()
            try group.consumeToEnd { consumer, batch in
                #expect(consumer.core == 0)
                seen.withLock { $0.append(batch.baseOffset) }
            }
            #expect(seen.withLock { $0.count } == 15)
            #expect(seen.withLock { $0.min() } == UInt64(5 * (round - 1)))
            for number in 0..<3 {
                #expect(try group.committed(fixture.partition(number)) == UInt64(5 * round))
            }
        }
    }

    @Test("What a handler refuses comes again")
    func handlerThrows() throws {
        struct Refusal: Error {}
        let fixture = try GroupFixture(partitions: 1)
        try fixture.append(batches: 4)
        let group = try fixture.group()
        #expect(throws: Refusal.self) {
            try group.consumeToEnd { _, batch in if batch.baseOffset == 2 { throw Refusal() } }
        }
        #expect(try group.committed(fixture.partition(0)) == 2)
        let seen = Lock<[UInt64]>([])
        try group.consumeToEnd { _, batch in seen.withLock { $0.append(batch.baseOffset) } }
        #expect(seen.withLock { $0 } == [2, 3])
    }

    @Test("Groups begin where they are told to")
    func startOffsets() throws {
        let fixture = try GroupFixture(partitions: 1)
        try fixture.append(batches: 6)
        for (start, first) in [
            (StartOffset.earliest, UInt64?(0)), (.latest, nil), (.offset(4), 4), (.offset(99), nil),
            (.time(0), 0), (.time(.max), nil),
        ] {
            let name = "g-\(first.map(String.init) ?? "end")-\(start)".filter {
                $0.isLetter || $0.isNumber || $0 == "-"
            }
            let group = try ConsumerGroup(
                data: fixture.data, name: name, topics: [fixture.topic], cores: [0])
            let seen = Lock<UInt64?>(nil)
            try group.consume(until: .atEnd, from: start) { _, _, batch in
                seen.withLock { if $0 == nil { $0 = batch.baseOffset } }
            }
            #expect(seen.withLock { $0 } == first, "\(start)")
        }
    }

    @Test("Two processes' worth of members share the partitions; who leaves hands over")
    func twoMembers() throws {
        let fixture = try GroupFixture(partitions: 4)
        try fixture.append(batches: 1)
        let first = try fixture.group()
        let second = try fixture.group()
        let ready = Atomic<Int>(0)
        let owned = Lock<[Int: [Int]]>([:])
        let threads = try [first, second].enumerated().map { index, group in
            try PinnedThread(name: "member", core: nil) {
                do {
                    try group.run { consumer in
                        while ready.load(ordering: .relaxed) < 2 {
                            if let changes = try consumer.changes() {
                                try consumer.release(changes.revoked)
                            }
                            if try consumer.isSettled(), consumer.claims.count == 2 {
                                let isNew = owned.withLock { owned in
                                    defer {
                                        owned[index] = consumer.claims.map(\.partition.partition)
                                    }
                                    return owned[index] == nil
                                }
                                if isNew { ready.add(1, ordering: .relaxed) }
                            }
                            PinnedThread.sleep(nanoseconds: 100_000)
                        }
                    }
                } catch { Issue.record(error) }
            }
        }
        for thread in threads { thread.join() }
        let all = owned.withLock { $0.values.flatMap { $0 } }
        #expect(all.sorted() == [0, 1, 2, 3])
        #expect(try fixture.catalog.describe("g").state == .empty)
    }

    @Test("A commit is refused once the partition is another's")
    func fencedCommit() throws {
        let fixture = try GroupFixture(partitions: 1)
        let group = try fixture.group()
        let claim = Lock<GroupConsumer.Claim?>(nil)
        try group.run { consumer in
            let changes = try #require(try consumer.changes())
            let granted = try #require(changes.granted.first)
            try consumer.commit(granted, next: 7)
            claim.withLock { $0 = granted }
        }
        try group.run { consumer in
            let mine = try #require(try consumer.changes()?.granted.first)
            #expect(mine.committed == 7)
            let stale = try #require(claim.withLock { $0 })
            #expect(mine.generation > stale.generation)
            let error = #expect(throws: GroupError.self) {
                try consumer.commit(stale, next: 3)
            }
            #expect(error?.code == .fenced)
            try consumer.commit(mine, next: 8)
        }
        #expect(try group.committed(fixture.partition(0)) == 8)
    }

    @Test("A member that stands still is replaced, and joins again when it wakes")
    func hung() throws {
        let fixture = try GroupFixture(partitions: 2)
        let options = MemberOptions(hangMilliseconds: 300)
        let slow = try fixture.group(options: options)
        let other = try fixture.group(options: options)
        let taken = Atomic<Bool>(false)
        let done = Atomic<Bool>(false)
        let sleeper = try PinnedThread(name: "slow", core: nil) {
            do {
                try slow.run { consumer in
                    var mine: GroupConsumer.Claim?
                    while mine == nil {
                        if let changes = try consumer.changes() {
                            try consumer.release(changes.revoked)
                            mine = changes.granted.first
                        }
                    }
                    // In a batch, for far too long.
                    while !taken.load(ordering: .acquiring) {
                        PinnedThread.sleep(nanoseconds: 1_000_000)
                    }
                    let held = try #require(mine)
                    let error = #expect(throws: GroupError.self) {
                        try consumer.commit(held, next: 99)
                    }
                    #expect(error?.code == .fenced)
                    let changes = try #require(try consumer.changes())
                    #expect(changes.lost.contains(held))
                    done.store(true, ordering: .releasing)
                }
            } catch {
                Issue.record(error)
                done.store(true, ordering: .releasing)
            }
        }
        try other.run { consumer in
            while !done.load(ordering: .acquiring) {
                if let changes = try consumer.changes() { try consumer.release(changes.revoked) }
                if consumer.claims.count == 2 { taken.store(true, ordering: .releasing) }
                PinnedThread.sleep(nanoseconds: 1_000_000)
            }
        }
        sleeper.join()
        #expect(try group(fixture).committed(fixture.partition(0)) != 99)
    }

    private func group(_ fixture: GroupFixture) throws -> ConsumerGroup { try fixture.group() }

    @Test("Paused partitions are not read, and stay owned")
    func pause() throws {
        let fixture = try GroupFixture(partitions: 2)
        try fixture.append(batches: 3)
        let group = try fixture.group()
        group.pause([fixture.partition(1)])
        let seen = Lock<[String]>([])
        try group.consume(until: .whenDrained) { consumer, claim, batch in
            seen.withLock { $0.append("\(claim.partition)") }
            if claim.partition.partition == 0, batch.baseOffset == 2 {
                group.resume([fixture.partition(1)])
            }
            if claim.partition.partition == 1, batch.baseOffset == 2 { group.drain() }
        }
        #expect(
            seen.withLock { $0 }
                == Array(repeating: "rows/0", count: 3) + Array(repeating: "rows/1", count: 3))
    }

    @Test("Members that do something else, or want to be alone, are refused")
    func refusals() throws {
        let fixture = try GroupFixture(partitions: 1)
        let group = try fixture.group(options: MemberOptions(instance: "a"))
        let other = try fixture.data.topic("other", creating: TopicConfiguration(kind: .bytes))
        for (code, attempt) in [
            (GroupError.Code.otherSubscription, { try fixture.group(topics: [other]) }),
            (.otherSubscription, { try fixture.group(assignor: .hash) }),
            (.inUse, { try fixture.group(isExclusive: true) }),
            (.instanceInUse, { try fixture.group(options: MemberOptions(instance: "a")) }),
            (.invalidName, { try fixture.group(options: MemberOptions(instance: "a/b")) }),
            (.noSuchCore, { try fixture.group(cores: [8000]) }),
        ] as [(GroupError.Code, () throws -> ConsumerGroup)] {
            let error = #expect(throws: GroupError.self) { _ = try attempt() }
            #expect(error?.code == code)
        }
        #expect(try fixture.catalog.describe("g").members.count == 1)
        _ = group.name
    }

    @Test("An instance that comes back in time finds its partitions; nobody else gets them")
    func instances() throws {
        let fixture = try GroupFixture(partitions: 4)
        let other = try fixture.group()
        var named: ConsumerGroup? = try fixture.group(options: MemberOptions(instance: "a"))
        let before = try fixture.catalog.describe("g")
        named = nil
        let between = try fixture.catalog.describe("g")
        #expect(between.state == .rebalancing)
        #expect(between.members.filter { !$0.isPresent }.map(\.id.name) == ["a-0"])
        named = try fixture.group(options: MemberOptions(instance: "a"))
        let after = try fixture.catalog.describe("g")
        #expect(after.partitions.map(\.owner?.id) == before.partitions.map(\.owner?.id))
        _ = (named?.name, other.name)
    }
}
