internal import Foundation
internal import LogFigures

/// Runs a pipeline for a long time and judges whether it is at the end as it was before.
///
///     soak [MINUTES [CSV [busy]]]
///
/// Rows are produced at a steady rate, a model is trained on them and scores them, its versions are
/// swapped in as they come, and retention removes what is old: one process, as a service runs it. What
/// it holds is sampled each 10 s and written to `CSV` (by default soak.csv). At the end the last third
/// of the samples is held against the second third. With `busy`, for a machine on which other programs
/// run too, latency is shown and not judged.
///
/// The exit code is 0 when all is flat and each row had one prediction, else 1.
@main
enum Soak {
    private static let interval = 10.0

    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let minutes = arguments.first.flatMap { Double($0) } ?? 30
        let csv = arguments.count > 1 ? arguments[1] : "soak.csv"
        let isBusy = arguments.contains("busy")
        print("- Machine: \(Machine.processor), \(Machine.cores) cores, \(Machine.kernel)")
        print("- \(Machine.kernels); files on \(try Machine.fileSystem())")
        print("- Date: \(Date.now.ISO8601Format())")
        print("- \(Workload.text)")
        let count = max(6, Int(minutes * 60 / interval))
        var record = SampleRecord(path: csv)
        let workload = try Workload()
        try workload.start()
        var outcome = Result<Void, any Error>.success(())
        do {
            for _ in 0..<count {
                try workload.work(for: interval)
                try record.add(Sample(of: workload))
            }
        } catch { outcome = .failure(error) }
        let rows = try workload.end()
        try outcome.get()
        print("- \(count) samples in \(csv); \(rows) rows, each predicted once")
        exit(record.judge(judgingLatency: !isBusy) ? 0 : 1)
    }
}
