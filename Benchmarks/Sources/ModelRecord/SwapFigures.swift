internal import BenchmarkSupport
internal import CBareMetal
internal import Foundation
internal import LogFigures
internal import Millrace
internal import Synchronization

/// What swapping every 100 ms does to a slot that scores without a pause.
///
/// MLP 64-128-64-10, batches of 256 rows. The slot has the last core or the one that is said;
/// versions are published and loaded on another. Where the slot's core is the one that serves the
/// disk, what is published on the other interrupts it: `/proc/interrupts` tells.
///
/// Beside it the same publishing of a model that nobody follows, and a thread on the other core
/// that only computes, for as long each time as a version takes to load: what the other core's work
/// costs this one though they share nothing but the machine.
enum SwapFigures {
    /// What happens on the other core meanwhile.
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

    static func run(samples count: Int, core: Int) throws {
        let other = core == 0 ? Machine.cores - 1 : 0
        let directory = try WorkDirectory()
        let repository = ModelRepository(path: directory.path)
        for name in ["m", "other"] {
            _ = try repository.publish(
                randomModel(widths, seed: 0), as: name, Publication(key: ""))
        }
        let loading = try loadTime(repository)
        let feed = try ModelFeed(repository, "m", core: other)
        var scorer = Scorer(feed)
        var windows: [Neighbour: [Window]] = [:]
        for sample in 0...count {
            for neighbour in sample % 2 == 0 ? Neighbour.allCases : Neighbour.allCases.reversed() {
                let worker = Worker(neighbour, repository, loading, core: other)
                // After the worker's thread was made, which would be bound as its maker is.
                precondition(bare_pin(Int32(core)) >= 0, "no such core")
                let window = score(&scorer)
                worker.stop()
                if sample > 0 { windows[neighbour, default: []].append(window) }
            }
        }
        print("- The slot has core \(core), what happens beside it core \(other)")
        report(windows, loading)
    }

    /// Nanoseconds that loading a version takes.
    private static func loadTime(_ repository: ModelRepository) throws -> Int64 {
        let times = try (0..<21).map { _ in
            let begun = bare_clock()
            _ = try repository.load("m", version: 1)
            return bare_clock() - begun
        }
        return times.sorted()[10]
    }

    private static func score(_ scorer: inout Scorer) -> Window {
        let features = [Float](repeating: 0.5, count: rows * widths[0])
        var outputs = [Float](repeating: 0, count: rows * 10)
        var times: [Int64] = []
        times.reserveCapacity(1 << 17)
        var versions: Set<Int> = []
        let begun = bare_clock()
        var before = begun
        while before - begun < window {
            var target = outputs.mutableSpan
            let version = scorer.predict(
                FeatureMatrix(features.span, rows: rows, stride: widths[0]), into: &target)
            let now = bare_clock()
            times.append(now - before)
            versions.insert(version)
            before = now
        }
        times.sort()
        return Window(
            batchesPerSecond: Double(times.count) / Double(before - begun) * 1e9,
            p99: Double(times[times.count * 99 / 100]), versions: versions.count)
    }

    /// Works on the other core ten times a second until it is stopped.
    private final class Worker: Sendable {
        private let isStopped = Atomic<Bool>(false)
        private let hasEnded = Atomic<Bool>(false)

        init(
            _ neighbour: Neighbour, _ repository: ModelRepository, _ loading: Int64, core: Int
        ) {
            Thread.detachNewThread { [self] in
                precondition(bare_pin(Int32(core)) >= 0, "no such core")
                var seed: UInt64 = 1
                while !isStopped.load(ordering: .relaxed) {
                    let begun = bare_clock()
                    seed += 1
                    switch neighbour {
                    case .nothing: break
                    case .swaps: publish("m", repository, seed)
                    case .others: publish("other", repository, seed)
                    case .computing: while bare_clock() - begun < loading { _ = bare_probe() }
                    }
                    usleep(UInt32(max(0, period - (bare_clock() - begun)) / 1000))
                }
                hasEnded.store(true, ordering: .releasing)
            }
        }

        private func publish(_ name: String, _ repository: ModelRepository, _ seed: UInt64) {
            do {
                _ = try repository.publish(
                    randomModel(widths, seed: seed), as: name, Publication(key: ""),
                    onceByKey: false)
            } catch { fatalError("\(error)") }
        }

        func stop() {
            isStopped.store(true, ordering: .relaxed)
            while !hasEnded.load(ordering: .acquiring) { usleep(1000) }
        }
    }

    private static func report(_ windows: [Neighbour: [Window]], _ loading: Int64) {
        let peace = windows[.nothing] ?? []
        print("- Loading one of these versions takes \(Double(loading) / 1e6) ms")
        print(
            "- Batches in peace: \(Spread(peace.map { $0.batchesPerSecond / 1000 })) thousand/s, ")
        print("  p99 \(Spread(peace.map { $0.p99 / 1000 })) us")
        print("\n| On the other core, every 100 ms | Throughput | p99 | Versions seen |")
        print("| --- | --- | --- | --- |")
        for (neighbour, text) in [
            (Neighbour.swaps, "a version is published and swapped in (asked > 0.97, < 1.05)"),
            (.others, "a version of another model is published"),
            (.computing, "arithmetic for the time of one load"),
        ] {
            let beside = windows[neighbour] ?? []
            let pairs = zip(beside, peace)
            let versions = beside.map { Double($0.versions) }
            print(
                "| \(text) | \(Spread(pairs.map { $0.batchesPerSecond / $1.batchesPerSecond })) "
                    + "| \(Spread(pairs.map { $0.p99 / $1.p99 })) | \(Spread(versions)) |")
        }
    }
}
