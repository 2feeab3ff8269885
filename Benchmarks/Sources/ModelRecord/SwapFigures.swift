internal import BenchmarkSupport
internal import CBareMetal
internal import Foundation
internal import LogFigures
internal import Millrace
internal import Synchronization

/// What swapping every 100 ms does to a slot that scores without a pause: MLP 64-128-64-10,
/// batches of 256 rows. The slot has the last core; versions are published and loaded on the first.
///
/// Beside it the same publishing of a model that nobody follows, and a thread on the first core
/// that only computes, for as long each time as a version takes to load: what the other core's work
/// costs this one though they share nothing but the machine.
enum SwapFigures {
    /// What happens on the first core meanwhile.
    private enum Neighbour: CaseIterable {
        case nothing, swaps, others, computing
    }

    private static let widths = [64, 128, 64, 10]
    private static let rows = 256
    private static let window: Int64 = 1_000_000_000
    private static let period: Int64 = 100_000_000

    private struct Window {
        var batchesPerSecond: Double
        var p99: Double
        var versions: Int
    }

    static func run(samples count: Int) throws {
        let directory = try WorkDirectory()
        let repository = ModelRepository(path: directory.path)
        for name in ["m", "other"] {
            _ = try repository.publish(
                randomModel(widths, seed: 0), as: name, Publication(key: ""))
        }
        let loading = try loadTime(repository)
        let feed = try ModelFeed(repository, "m", core: 0)
        var scorer = Scorer(feed)
        precondition(bare_pin(Int32(Machine.cores - 1)) >= 0, "no such core")
        var windows: [Neighbour: [Window]] = [:]
        for sample in 0...count {
            for neighbour in sample % 2 == 0 ? Neighbour.allCases : Neighbour.allCases.reversed() {
                let stop = Atomic<Bool>(false)
                let thread = work(neighbour, repository, loading, until: stop)
                let window = score(&scorer)
                stop.store(true, ordering: .relaxed)
                thread.join()
                if sample > 0 { windows[neighbour, default: []].append(window) }
            }
        }
        report(windows, loading)
    }
}
