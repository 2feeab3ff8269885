import MillraceGroups
import MillraceSystem
import MillraceTestSupport
import Testing

/// Producers and a group of one to four processes that are killed, stopped, woken, joined and left
/// at random: every source row has exactly one outcome, in order, and no generation two owners.
///
/// `MILLRACE_GROUP_FAULTS` sets how many faults, `MILLRACE_GROUP_ORACLE_SEED` the seed.
@Suite("Groups of processes", .serialized)
struct GroupOracleTests {
    private static let faults = Environment.number("MILLRACE_GROUP_FAULTS", or: 200)
    /// A member that does not move for so long is replaced.
    private static let hangMilliseconds = 150
    private static let most = 4

    @Test("One outcome for each row, whoever dies, stops, wakes, joins and leaves")
    func oneOutcome() throws {
        let seed =
            Environment.text("MILLRACE_GROUP_ORACLE_SEED").flatMap { UInt64($0) }
            ?? UInt64.random(in: 0...UInt64.max)
        print("group oracle, seed \(seed)")
        var random = SplitMix64(seed: seed)
        var done = 0
        var grants = 0
        while done < Self.faults {
            let shop = try GroupWorkshop(partitions: random.number(in: 1...5))
            let count = min(50, Self.faults - done)
            let faults = try Self.round(shop, faults: count, &random)
            #expect(faults == [], "seed \(seed), after \(done) faults")
            if !faults.isEmpty { return }
            done += count
            grants += try shop.grants()
        }
        print("\(done) faults, partitions granted \(grants) times")
        #expect(grants > done / 10)
    }

    private static func round(
        _ shop: GroupWorkshop, faults count: Int, _ random: inout SplitMix64
    ) throws -> [String] {
        try shop.startProducers(pauseMicroseconds: 2000)
        try shop.startScorer(hang: hangMilliseconds)
        var found: [String] = []
        for _ in 0..<count {
            found += try fault(shop, &random)
            // Some faults come while partitions change hands, some when they have.
            if random.next() % 3 == 0 { shop.letSettle() }
            PinnedThread.sleep(nanoseconds: Int64(random.unit() * 40e6))
        }
        for scorer in shop.scorers where scorer.isStopped {
            scorer.child.resume()
            scorer.isStopped = false
        }
        shop.killProducers()
        // Those that are left may all have been refused a name that lived, and have ended.
        try shop.startScorer(hang: hangMilliseconds)
        if try !shop.waitUntilScored() {
            let description = try GroupCatalog(shop.data).describe(GroupWorkshop.group)
            found.append("rows without an outcome: \(try shop.rest()), \(description)")
        }
        found += try shop.judge()
        for scorer in shop.scorers { found += shop.end(scorer, kill: random.next() % 2 == 0) }
        return found + (try shop.judge())
    }

    private static func fault(
        _ shop: GroupWorkshop, _ random: inout SplitMix64
    ) throws -> [String] {
        guard let scorer = shop.scorers.randomElement(using: &random) else {
            try start(shop, &random)
            return []
        }
        switch random.next() % 10 {
        case 0..<3:
            if shop.scorers.count < most { try start(shop, &random) }
        case 3..<5: return shop.end(scorer, kill: true)
        case 5: return shop.end(scorer, kill: false)
        case 6..<8:
            if !scorer.isStopped { scorer.isStopped = scorer.child.stop() }
        default:
            if scorer.isStopped {
                scorer.child.resume()
                scorer.isStopped = false
            }
        }
        return []
    }

    private static func start(_ shop: GroupWorkshop, _ random: inout SplitMix64) throws {
        let instance = random.next() % 3 == 0 ? "instance-\(random.next() % 2)" : nil
        try shop.startScorer(
            cores: random.number(in: 1...2), hang: hangMilliseconds, instance: instance)
    }

    @Test("A member whose forked child keeps its locks is dead all the same")
    func forkedChild() throws {
        let shop = try GroupWorkshop(partitions: 2)
        try shop.startProducers(pauseMicroseconds: 500)
        let first = try shop.startScorer(hang: 60_000, ["forks=1"])
        let line = first.child.readLine() ?? ""
        let child = ForkedChild(line)
        #expect(child != nil, "\(line)")
        try shop.startScorer(hang: 60_000)
        let isShared = try shop.waitUntil {
            let description = try GroupCatalog(shop.data).describe(GroupWorkshop.group)
            return Set(description.partitions.map(\.owner?.process)).count == 2
        }
        #expect(isShared)
        #expect(shop.end(first, kill: true) == [])
        shop.killProducers()
        #expect(try shop.waitUntilScored())
        #expect(child?.isAlive == true)
        let members = try GroupCatalog(shop.data).describe(GroupWorkshop.group).members
        #expect(members.allSatisfy { $0.process != Int(first.child.identifier) })
        #expect(try shop.judge() == [])
        child?.end()
    }
}
