internal import LogFigures
internal import Millrace

/// What a run looks like from outside at one moment, and since the moment before.
struct Sample {
    /// Seconds from the beginning.
    let seconds: Double
    let process: ProcessState
    /// Rows appended so far.
    let rows: UInt64
    /// Rows without a prediction.
    let scoringLag: Int
    /// Rows that have not been learnt from.
    let trainingLag: Int
    /// Milliseconds from the append of a batch to its predictions in another thread.
    let p50: Double
    let p99: Double
    /// Versions of the model that have made predictions.
    let versions: Int
    let logBytes: Int
    let fileBytes: Int

    init(of workload: Workload) throws {
        seconds = workload.seconds
        process = try .current()
        let traffic = workload.traffic
        rows = traffic.rows
        scoringLag = traffic.lag
        let learnt = workload.progress.first { $0.kind == "train" }?.rowsDone ?? 0
        trainingLag = max(0, Int(rows) - learnt)
        let latencies = traffic.takeLatencies()
        func percentile(_ part: Double) -> Double {
            guard !latencies.isEmpty else { return .nan }
            return Double(latencies[Int(Double(latencies.count - 1) * part)]) / 1e6
        }
        p50 = percentile(0.5)
        p99 = percentile(0.99)
        versions = traffic.versions
        logBytes = try workload.logBytes()
        fileBytes = workload.fileBytes()
    }
}
