internal import MillraceSystem

/// Tells other processes each second what the stages of a run are doing, until it is ended.
final class StageReporter: Sendable {
    private static let period: Int64 = 1_000_000_000
    /// Latencies are those of this many periods.
    private static let window = 10

    private let stop = StopFlag()
    private let thread: PinnedThread

    /// - Parameter stages: The groups of the stages, and what is known of these.
    init(_ stages: [(group: String, status: StageStatus)], data: String) throws(SystemError) {
        let identity = try ProcessIdentity.current()
        thread = try PinnedThread(name: "reports", core: nil) { [stop] in
            for stage in stages {
                StageReport.prepare(stage.group, data: data)
                StageReport.remove(stage.group, data: data, process: identity)
            }
            var earlier = stages.map { _ in [[Int]]() }
            while !stop.isSet {
                for (index, stage) in stages.enumerated() {
                    let counts = stage.status.latencies.snapshot
                    let since = earlier[index].first ?? counts.map { _ in 0 }
                    earlier[index].append(counts)
                    if earlier[index].count > Self.window { earlier[index].removeFirst() }
                    StageReport(
                        identity, modelVersion: stage.status.versionInUse,
                        latency: BatchLatency(zip(counts, since).map { $0 - $1 }),
                        kafka: stage.status.kafkaShare
                    ).write(stage.group, data: data)
                }
                let end = Clock.monotonicNanoseconds() + Self.period
                while !stop.isSet, Clock.monotonicNanoseconds() < end {
                    PinnedThread.sleep(nanoseconds: 20_000_000)
                }
            }
            for stage in stages {
                StageReport.remove(stage.group, data: data, process: identity)
            }
        }
    }

    /// Ends the reports and removes them.
    func end() {
        stop.set()
        thread.join()
    }
}
