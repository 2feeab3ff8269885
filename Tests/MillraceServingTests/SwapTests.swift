import MillraceCompute
import MillraceModels
import MillraceRepository
import MillraceServing
import MillraceSystem
import MillraceTestSupport
import Synchronization
import Testing

/// Versions that change while threads score as fast as they can.
@Suite struct SwapTests {
    /// The long run asks for 1,000.
    private static let swaps = Environment.number("MILLRACE_SWAPS", or: 100)

    /// A version that is watched without being kept.
    private struct Watched {
        weak var version: ServingVersion?
    }

    /// What one scoring thread has seen.
    private final class Seen: Sendable {
        let latest = Atomic<Int>(0)
        let calls = Atomic<Int>(0)
        let wrong = Atomic<Int>(0)
        let versions = Lock<[Watched]>([])
    }

    @Test func swapsUnderLoad() throws {
        let fixture = try ServingFixture()
        try fixture.publish(inputs: 4, outputs: 3)
        let feed = try fixture.feed()
        let isOver = Atomic<Bool>(false)
        let threads = 2
        let seen = (0..<threads).map { _ in Seen() }
        let scorers = try seen.map { seen in
            try PinnedThread(name: "scorer", core: nil) {
                Self.score(feed, until: isOver, seen)
            }
        }
        for round in 0...Self.swaps {
            // The first is there: a thread that begins late would not see it.
            let version = round == 0 ? 1 : try fixture.publish(inputs: 4, outputs: 3)
            let isTaken = Patience.wait {
                seen.allSatisfy { $0.latest.load(ordering: .relaxed) == version }
            }
            try #require(isTaken, "version \(version)")
        }
        isOver.store(true, ordering: .relaxed)
        for scorer in scorers { scorer.join() }
        for seen in seen {
            #expect(seen.wrong.load(ordering: .relaxed) == 0)
            #expect(seen.versions.withLock { $0.count } == Self.swaps + 1)
            // Only the one in use is left, though the feed is open.
            #expect(
                Patience.wait {
                    seen.versions.withLock { $0.filter { $0.version != nil }.count } == 1
                })
        }
        #expect(feed.refusals == [] && fixture.messages.errors == [])
        feed.close()
    }

    /// Scores 64 rows a call; each must say what the version that is named says.
    private static func score(_ feed: ModelFeed, until isOver: borrowing Atomic<Bool>, _ seen: Seen)
    {
        var scorer = Scorer(feed)
        let rows = [Float](repeating: 1, count: 64 * 4)
        var outputs = [Float](repeating: 0, count: 64 * 3)
        var last = 0
        while !isOver.load(ordering: .relaxed) {
            var target = outputs.mutableSpan
            let version = scorer.predict(
                FeatureMatrix(rows.span, rows: 64, stride: 4), into: &target)
            if version < last || outputs.contains(where: { $0 != Float(version) }) {
                seen.wrong.wrappingAdd(1, ordering: .relaxed)
            }
            if version != last {
                let current = scorer.current
                seen.versions.withLock { $0.append(Watched(version: current)) }
                last = version
                seen.latest.store(version, ordering: .relaxed)
            }
            seen.calls.wrappingAdd(1, ordering: .relaxed)
        }
    }

    @Test func aVersionLivesUntilTheLastScorerHasLetItGo() throws {
        let fixture = try ServingFixture()
        try fixture.publish()
        let feed = try fixture.feed()
        var busy = Scorer(feed)
        var idle = Scorer(feed)
        let first = Watched(version: feed.current)
        let row: [Float] = [0, 0]
        try fixture.publish()
        #expect(Patience.wait { busy.predict(row.span)[0] == 2 })
        #expect(try fixture.repository.prune("m", keeping: 1).removed == [])
        #expect(first.version != nil && idle.current.version == 1)
        #expect(idle.predict(row.span)[0] == 2)
        #expect(Patience.wait { first.version == nil })
        #expect(try fixture.repository.prune("m", keeping: 1).removed == [1])
    }

    /// Reference counts are those of code that is optimised: `swift test -c release`.
    @Test func aCallWithoutASwapAllocatesLocksAndCountsNothing() throws {
        let fixture = try ServingFixture()
        try fixture.publish(inputs: 16, outputs: 2)
        var scorer = Scorer(try fixture.feed())
        let row = [Float](repeating: 1, count: 16)
        var cost = Self.cost(&scorer, row.span)
        #if DEBUG
            cost.retains = 0
            cost.releases = 0
        #endif
        #expect(cost == .zero)
        guard Counts.seesAllocations else { return }
        #expect(SystemCalls.areNone { _ = scorer.predict(row.span) })
    }

    @inline(never)
    private static func cost(_ scorer: inout Scorer, _ row: Span<Float>) -> Counts {
        let before = Counts.now()
        for _ in 0..<10 { _ = scorer.predict(row) }
        return Counts.now().since(before)
    }
}
