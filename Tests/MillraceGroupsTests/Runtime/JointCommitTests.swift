import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Synchronization
import Testing

@testable import MillraceGroups

/// Commits of several partitions at once: all of them or none, whenever one looks.
@Suite("Commits of several partitions")
struct JointCommitTests {
    private let fixture: GroupFixture

    init() throws { fixture = try GroupFixture(partitions: 3) }

    private func committed() throws -> [UInt64?] {
        try fixture.catalog.describe("g").partitions.map(\.committed)
    }

    /// Runs `body` with the claims of all partitions, in their order.
    private func own(
        _ body: @escaping @Sendable (GroupConsumer, [GroupConsumer.Claim]) throws -> Void
    ) throws {
        try fixture.group(cores: [CPU.allowed()[0]]).run { consumer in
            var claims: [GroupConsumer.Claim] = []
            while claims.count < 3 {
                if let changes = try consumer.changes() { claims += changes.granted }
            }
            try body(consumer, claims.sorted { $0.partition < $1.partition })
        }
    }

    @Test("All partitions are there, for the next owner too")
    func all() throws {
        try own { consumer, claims in
            try consumer.commit(claims[0], next: 1)
            try consumer.commit([claims[0]: 5, claims[1]: 6])
            #expect(try self.committed() == [5, 6, nil])
            try consumer.commit(claims[1], next: 7)
            #expect(try self.committed() == [5, 7, nil])
            try consumer.commit([:])
        }
        try own { _, claims in #expect(claims.map(\.committed) == [5, 7, nil]) }
    }

    @Test("A commit back to what was replaced counts, whichever way it is made")
    func backwards() throws {
        try own { consumer, claims in
            for claim in claims { try consumer.commit(claim, next: 3) }
            for turn in 0..<4 {
                try consumer.commit([claims[0]: 9, claims[1]: 9])
                #expect(try self.committed() == [9, 9, 3], "\(turn)")
                try consumer.commit(claims[0], next: 3)
                #expect(try self.committed() == [3, 9, 3], "\(turn)")
                try consumer.commit(claims[0], next: 9)
                #expect(try self.committed() == [9, 9, 3], "\(turn)")
                try consumer.commit(claims[1], next: 3)
                try consumer.commit(claims[0], next: 3)
                #expect(try self.committed() == [3, 3, 3], "\(turn)")
            }
        }
    }

    @Test("Where one partition is another's nothing is committed")
    func fenced() throws {
        let stale = Lock<GroupConsumer.Claim?>(nil)
        try own { consumer, claims in
            try consumer.commit(claims[0], next: 1)
            stale.withLock { $0 = claims[1] }
        }
        try own { consumer, claims in
            let old = try #require(stale.withLock { $0 })
            let error = #expect(throws: GroupError.self) {
                try consumer.commit([claims[0]: 8, old: 8, claims[2]: 8])
            }
            #expect(error?.code == .fenced)
            #expect(try self.committed() == [1, nil, nil])
            // And once the state says that a partition is to be another's owner's, too.
            try consumer.release([claims[2]])
            let late = #expect(throws: GroupError.self) {
                try consumer.commit([claims[0]: 8, claims[2]: 8])
            }
            #expect(late?.code == .fenced)
            #expect(try self.committed() == [1, nil, nil])
        }
    }

    @Test("At every step of a commit one sees all of it or nothing, and a death changes nothing")
    func everyStep() throws {
        var steps = 0
        var seen: Set<Bool> = []
        while true {
            let fixture = try GroupFixture(partitions: 2)
            let point = StopPoint.atAny(skipping: steps)
            let bystander = StopPoint.atAny(skipping: .max)
            DiskObservation.install(bystander, on: fixture.directory.path)
            defer { DiskObservation.remove(bystander) }
            let group = try fixture.group(cores: [CPU.allowed()[0]])
            let isDone = Atomic<Bool>(false)
            let runner = try PinnedThread(name: "runner", core: nil) {
                do {
                    try group.run { consumer in
                        var claims = try consumer.changes()?.granted ?? []
                        claims.sort { $0.partition < $1.partition }
                        for claim in claims { try consumer.commit(claim, next: 1) }
                        DiskObservation.install(point, on: fixture.directory.path)
                        try consumer.commit([claims[0]: 7, claims[1]: 8])
                        DiskObservation.remove(point)
                        isDone.store(true, ordering: .releasing)
                    }
                } catch { Issue.record(error) }
            }
            while !point.isReached, !isDone.load(ordering: .acquiring) {
                PinnedThread.sleep(nanoseconds: 100_000)
            }
            // As somebody else sees it who has nothing to do with the one that stands still.
            let committed = try fixture.catalog.describe("g").partitions.map(\.committed)
            #expect([[1, 1], [7, 8]].contains(committed), "step \(steps): \(committed)")
            seen.insert(committed == [7, 8])
            let isLast = !point.isReached
            point.release()
            runner.join()
            #expect(try fixture.catalog.describe("g").partitions.map(\.committed) == [7, 8])
            if isLast { break }
            steps += 1
        }
        #expect(seen == [true, false])
        #expect(steps > 8)
    }

    @Test("After a loss of power everything is there or nothing, whatever of the page was written")
    func lossOfPower() throws {
        try own { consumer, claims in
            for claim in claims { try consumer.commit(claim, next: 1) }
            try consumer.commit([claims[0]: 7, claims[1]: 8])
        }
        let path = fixture.directory.file("groups/g/page")
        let whole = try Files.read(path, maxBytes: 1 << 20)
        let files = try GroupFiles(
            root: fixture.directory.file("groups"), group: "g", create: false)
        for written in 0..<4 {
            // Of the owner's words any part may be older: as they were when the record was made.
            try FileHandle(path, .readWrite).write(whole, at: 0)
            for index in 0..<2 where written & (1 << index) != 0 {
                let now = try files.page.tenure(index, "g")
                let before = GroupPage.Tenure(generation: now.generation, next: 1)
                let isReplaced = files.page.replace(index, now, by: before)
                #expect(isReplaced)
            }
            #expect(try committed() == [7, 8, 1], "\(written)")
        }
    }
}
