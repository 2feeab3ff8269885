import MillraceGroups
import MillraceSystem
import MillraceTestSupport
import Testing

/// What becomes of a group of processes when one of them joins, leaves, dies, hangs or comes back.
@Suite("Members of a group of processes", .serialized)
struct MemberEventTests {
    /// How a member goes.
    enum Event: CaseIterable, Sendable {
        case leave, kill, hang
    }

    private static let partitions = 4

    private func describe(_ shop: GroupWorkshop) throws -> GroupDescription {
        try GroupCatalog(shop.data).describe(GroupWorkshop.group)
    }

    /// Waits until so many processes share all partitions.
    private func settle(_ shop: GroupWorkshop, processes: Int) throws -> GroupDescription {
        let isSettled = try shop.waitUntil {
            guard let group = try? describe(shop), group.state == .stable else { return false }
            return Set(group.partitions.compactMap(\.owner?.process)).count == processes
        }
        #expect(isSettled)
        return try describe(shop)
    }

    @Test(
        "Each leads to a new generation with one owner of each partition; what stays, stays",
        arguments: Event.allCases)
    func events(event: Event) throws {
        let shop = try GroupWorkshop(partitions: Self.partitions)
        // Only who is meant to be found hung may be: nothing here waits for a time-out.
        let hang = event == .hang ? 2000 : 60_000
        let first = try shop.startScorer(hang: hang)
        let alone = try settle(shop, processes: 1)
        try shop.startProducers(pauseMicroseconds: 500)
        let second = try shop.startScorer(hang: hang)
        let both = try settle(shop, processes: 2)
        #expect(both.generation > alone.generation)
        let keeps = both.partitions.filter { $0.owner?.process == Int(first.child.identifier) }
        #expect(keeps.count == 2)
        for partition in keeps {
            let before = alone.partitions.first { $0.partition == partition.partition }
            #expect(before?.generation == partition.generation, "it was not interrupted")
        }

        let begun = Clock.monotonicNanoseconds()
        switch event {
        case .leave: #expect(shop.end(second, kill: false) == [])
        case .kill: #expect(shop.end(second, kill: true) == [])
        case .hang: #expect(second.child.stop())
        }
        let after = try settle(shop, processes: 1)
        let seconds = Double(Clock.monotonicNanoseconds() - begun) / 1e9
        // Far below the sixty seconds of a hang, on a machine that is busy with other tests.
        #expect(seconds < 20)
        #expect(after.generation > both.generation)
        for partition in after.partitions {
            #expect(partition.owner?.process == Int(first.child.identifier))
            let kept = keeps.first { $0.partition == partition.partition }
            #expect(kept == nil || kept?.generation == partition.generation)
        }
        if event == .hang { second.child.resume() }
        shop.killProducers()
        #expect(try shop.waitUntilScored())
        #expect(try shop.judge() == [])
    }

    @Test("Stopped before its first step, a member is hung like any other")
    func stoppedBeforeTheFirstStep() throws {
        let shop = try GroupWorkshop(partitions: Self.partitions)
        let stalled = try shop.startScorer(hang: 300, ["stop=join"])
        #expect(stalled.child.readLine() == "stopped")
        let owner = try describe(shop).partitions.compactMap(\.owner?.process)
        #expect(
            owner == Array(repeating: Int(stalled.child.identifier), count: Self.partitions))
        let survivor = try shop.startScorer(hang: 60_000)
        let isReplaced = try shop.waitUntil {
            try describe(shop).partitions.allSatisfy {
                $0.owner?.process == Int(survivor.child.identifier)
            }
        }
        #expect(isReplaced)
        try shop.startProducers(pauseMicroseconds: 500)
        stalled.child.resume()
        // It joins again.
        _ = try settle(shop, processes: 2)
        shop.killProducers()
        #expect(try shop.waitUntilScored())
        #expect(shop.end(stalled, kill: false) == [])
        #expect(shop.end(survivor, kill: false) == [])
        #expect(try shop.judge() == [])
    }

    @Test("SIGTERM: the batch is finished and committed, and the partitions are others' at once")
    func termination() throws {
        let shop = try GroupWorkshop(partitions: Self.partitions)
        let first = try shop.startScorer(hang: 60_000)
        let second = try shop.startScorer(hang: 60_000)
        _ = try settle(shop, processes: 2)
        try shop.startProducers(pauseMicroseconds: 300)
        PinnedThread.sleep(nanoseconds: 100_000_000)
        #expect(shop.end(second, kill: false) == [])
        // Its process has ended: all that it had is another's already, or nobody's for a moment.
        let group = try describe(shop)
        #expect(!group.members.contains { $0.process == Int(second.child.identifier) })
        _ = try settle(shop, processes: 1)
        shop.killProducers()
        #expect(try shop.waitUntilScored())
        #expect(shop.end(first, kill: false) == [])
        let rest = try describe(shop)
        #expect(rest.state == .empty)
        // Nothing that was done is uncommitted.
        #expect(rest.partitions.allSatisfy { $0.lag == 0 && ($0.committed ?? 0) > 0 })
        #expect(try shop.judge() == [])
    }

    @Test("A named instance that comes back in time moves nothing; one that does not is replaced")
    func instances() throws {
        let shop = try GroupWorkshop(partitions: Self.partitions)
        try shop.startProducers(pauseMicroseconds: 1000)
        try shop.startScorer(hang: 60_000)
        let named = try shop.startScorer(hang: 60_000, instance: "a", grace: 60_000)
        let before = try settle(shop, processes: 2)
        let identifier = Int(named.child.identifier)
        #expect(shop.end(named, kill: true) == [])
        let isNoticed = try shop.waitUntil { try describe(shop).generation > before.generation }
        #expect(isNoticed)
        let between = try describe(shop)
        #expect(between.state == .rebalancing)
        #expect(between.members.filter { !$0.isPresent }.map(\.id.name) == ["a-0"])
        let again = try shop.startScorer(hang: 60_000, instance: "a", grace: 300)
        let after = try settle(shop, processes: 2)
        for (old, new) in zip(before.partitions, after.partitions) {
            let wasNamed = old.owner?.process == identifier
            #expect(new.owner?.id == old.owner?.id)
            #expect(wasNamed == (new.owner?.process == Int(again.child.identifier)))
            if !wasNamed { #expect(new.generation == old.generation, "nothing else moved") }
        }
        #expect(shop.end(again, kill: true) == [])
        // It does not come back within its 300 ms.
        let last = try settle(shop, processes: 1)
        #expect(last.members.count == 1)
        shop.killProducers()
        #expect(try shop.waitUntilScored())
        #expect(try shop.judge() == [])
    }

    @Test("A member that waits for rows is never hung")
    func waiting() throws {
        let shop = try GroupWorkshop(partitions: Self.partitions)
        for _ in 0..<2 { try shop.startScorer(hang: 2000) }
        let before = try settle(shop, processes: 2)
        PinnedThread.sleep(nanoseconds: 5_000_000_000)
        let after = try describe(shop)
        #expect(after.generation == before.generation && after.state == .stable)
    }

    @Test(
        "Stopped between its check and its write, a member is refused when it wakes",
        arguments: ["append", "commit"])
    func stoppedBeforeTheWrite(write: String) throws {
        let shop = try GroupWorkshop(partitions: 2)
        let stalled = try shop.startScorer(hang: 300, ["stop=\(write)", "after=30"])
        try shop.startProducers(pauseMicroseconds: 500)
        #expect(stalled.child.readLine() == "ready")
        #expect(stalled.child.readLine() == "stopped")
        let survivor = try shop.startScorer(hang: 300)
        let isReplaced = try shop.waitUntil {
            try describe(shop).partitions.allSatisfy {
                $0.owner?.process == Int(survivor.child.identifier)
            }
        }
        #expect(isReplaced)
        shop.killProducers()
        #expect(try shop.waitUntilScored())
        let hasCommitted = try shop.waitUntil {
            try describe(shop).partitions.allSatisfy { $0.lag == 0 }
        }
        #expect(hasCommitted)
        let before = try describe(shop).partitions.map(\.committed)
        stalled.child.resume()
        // It joins again, and takes back half of what was its own.
        _ = try settle(shop, processes: 2)
        #expect(try describe(shop).partitions.map(\.committed) == before)
        stalled.child.terminate()
        #expect(stalled.child.wait() == .code(0))
        #expect(stalled.child.readToEnd().contains("refused"))
        #expect(shop.end(survivor, kill: false) == [])
        #expect(try shop.judge() == [])
    }
}
