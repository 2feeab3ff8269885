import MillraceTestSupport
import Testing

/// `MILLRACE_GROUP_SEEDS` sets how many seeds are run; `MILLRACE_GROUP_SEED` runs one.
@Suite("Simulated groups")
struct GroupSimulationTests {
    private static let seeds = Environment.number("MILLRACE_GROUP_SEEDS", or: 2000)

    @Test("Members that come, go, die, hang and wake in any order: one owner, one outcome each")
    func seeds() {
        let single = Environment.text("MILLRACE_GROUP_SEED").flatMap { UInt64($0) }
        let seeds = single.map { $0...$0 } ?? 1...UInt64(Self.seeds)
        for seed in seeds {
            var group = GroupSimulation(seed: seed)
            for _ in 0..<160 { group.happen() }
            group.settle()
            #expect(group.faults.prefix(3) == [], "seed \(seed)")
            if !group.faults.isEmpty { return }
        }
    }
}
