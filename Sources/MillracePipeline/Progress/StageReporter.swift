internal import MillraceSystem

/// Tells other processes each second what the stages of a run are doing, until it is ended.
final class StageReporter: Sendable {
    private static let periodMilliseconds = 1000
    /// Latencies are those of this many periods.
    private static let window = 10

    /// Opened at the end: a run does not wait for the period's.
    private let end = Gate()
    private let thread: PinnedThread

    /// - Parameter stages: The groups of the stages, and what is known of these.
    init(_ stages: [(group: String, status: StageStatus)], data: String) throws(SystemError) {
        let identity = try ProcessIdentity.current()
        thread = try PinnedThread(name: "reports", core: nil) { [end] in
            for stage in stages {
                StageReport.prepare(stage.group, data: data)
                StageReport.remove(stage.group, data: data, process: identity)
            }
            var earlier = stages.map { _ in [[Int]]() }
            repeat {
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
            } while !end.wait(milliseconds: Self.periodMilliseconds)
            for stage in stages {
                StageReport.remove(stage.group, data: data, process: identity)
            }
        }
    }

    /// Ends the reports and removes them.
    func finish() {
        end.open()
        thread.join()
    }
}
