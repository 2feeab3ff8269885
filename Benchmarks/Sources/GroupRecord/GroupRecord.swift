internal import Foundation
internal import Glibc

/// Measures what groups promise of their speed.
///
///     group-record rebalance [ROUNDS]     from a member's SIGKILL until the survivor works on all
///     group-record cost [ROUNDS]          the group's part in scanning stored batches
///     group-record sequence [ROUNDS]      batches as an AsyncSequence beside a handler
///     group-record scaling [ROUNDS]       two slots beside one, scanning LZ4 and scoring by an MLP
///
/// Files are made in `MILLRACE_BENCHMARK_DIR`, or where temporary files go.
@main
enum GroupRecord {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let rounds = arguments.dropFirst().first.flatMap { Int($0) } ?? 30
        switch arguments.first {
        case "rebalance": try Rebalance.run(rounds: rounds)
        case "cost": try GroupCost.run(rounds: rounds)
        case "sequence": try await SequenceCost.run(rounds: rounds)
        case "scaling": try Scaling.run(rounds: rounds)
        case "member": try Rebalance.member(directory: arguments[1])
        default: print("group-record rebalance|cost|sequence|scaling [ROUNDS]")
        }
    }

    /// A directory for one measurement; to be removed.
    static func workDirectory() throws -> String {
        let place = ProcessInfo.processInfo.environment["MILLRACE_BENCHMARK_DIR"] ?? "/tmp"
        let path = "\(place)/millrace-group-record-\(getpid())"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// The monotonic clock, in seconds.
    static func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// The middle value, and between which values the middle half lies.
    static func spread(_ values: [Double]) -> String {
        let ordered = values.sorted()
        func quantile(_ part: Double) -> String {
            String(format: "%.3f", ordered[Int((Double(ordered.count - 1) * part).rounded())])
        }
        return "\(quantile(0.5)) [\(quantile(0.25))-\(quantile(0.75))]"
    }
}
