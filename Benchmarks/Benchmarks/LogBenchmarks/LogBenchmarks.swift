internal import Benchmark
internal import LogFigures

/// The figures of the log, each beside the same work done by barer means.
///
/// Digits, 64 float32 a row, 1,024 rows a batch, one partition, one pinned core, files in the page
/// cache. `log-record` takes the same figures and prints the record.
let benchmarks: @Sendable () -> Void = {
    let ratio = BenchmarkMetric.custom("Ratio, thousandths", useScalingFactor: false)
    let ours = BenchmarkMetric.custom("Ours, thousandths", useScalingFactor: false)
    let beside = BenchmarkMetric.custom("Beside, thousandths", useScalingFactor: false)
    let dropped = BenchmarkMetric.custom("Dropped", useScalingFactor: false)
    let configuration = Benchmark.Configuration(
        metrics: [ratio, ours, beside, dropped], warmupIterations: 0,
        maxDuration: .seconds(20), maxIterations: 1)

    for figure in Figure.all {
        Benchmark(
            "\(figure.name), \(figure.unit), asked \(figure.asked) (\(Machine.kernels))",
            configuration: configuration
        ) { benchmark in
            let run = try FigureRun(figure)
            for _ in 0..<15 {
                guard let sample = try run.sample() else { continue }
                benchmark.measurement(ratio, Int(sample.ratio * 1000))
                benchmark.measurement(ours, Int(sample.ours * 1000))
                benchmark.measurement(beside, Int(sample.bare * 1000))
            }
            benchmark.measurement(dropped, run.dropped)
        }
    }
}
