import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// The power goes at any moment, and the disk keeps any of what was not synced.
///
/// `MILLRACE_POWERLOSS` tells how often (2,000 times), `MILLRACE_POWERLOSS_SEED=w,i,d` repeats one
/// time: the workload's seed, the moment, the disk's seed.
@Suite struct PowerLossTests {
    /// One time that the power went.
    struct Cut: CustomStringConvertible, Sendable {
        let workload: UInt64
        let moment: Int
        let disk: UInt64

        var description: String { "MILLRACE_POWERLOSS_SEED=\(workload),\(moment),\(disk)" }
    }

    /// How often the power goes in one workload.
    private static let cutsPerWorkload = 50

    @Test func nothingAcknowledgedIsLost() throws {
        if let cut = Self.chosen() {
            let trace = try PowerLossTrace(seed: cut.workload)
            print("\(trace.shape); \(trace.end) events")
            print(trace.record(around: cut.moment))
            try trace.check(cut)
            return
        }
        let seed = UInt64.random(in: 0...UInt64.max / 2)
        let count = Environment.number("MILLRACE_POWERLOSS", or: 2_000)
        let workloads = (count + Self.cutsPerWorkload - 1) / Self.cutsPerWorkload
        print("power loss: \(count) cuts, workloads from seed \(seed)")
        var faults = 0
        for number in 0..<workloads where faults < 10 {
            let workload = seed &+ UInt64(number)
            do {
                let trace = try PowerLossTrace(seed: workload)
                var random = SplitMix64(seed: workload)
                let moments = (0..<Self.cutsPerWorkload).map { _ in
                    Int(random.next() % UInt64(trace.end + 1))
                }
                for moment in moments.sorted() {
                    let cut = Cut(workload: workload, moment: moment, disk: random.next())
                    do { try trace.check(cut) } catch {
                        faults += 1
                        Issue.record("\(cut): \(error)")
                        break
                    }
                }
            } catch {
                faults += 1
                Issue.record("workload \(workload): \(error)")
            }
        }
    }

    private static func chosen() -> Cut? {
        let parts = Environment.text("MILLRACE_POWERLOSS_SEED")?.split(separator: ",") ?? []
        guard parts.count == 3, let workload = UInt64(parts[0]), let moment = Int(parts[1]),
            let disk = UInt64(parts[2])
        else { return nil }
        return Cut(workload: workload, moment: moment, disk: disk)
    }
}
