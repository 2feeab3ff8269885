public import Benchmark

/// How much was done in a second, as a metric beside the time that it took.
public struct Rate: Sendable {
    /// The metric to list in a benchmark's configuration.
    public let metric: BenchmarkMetric

    private init(_ name: String) {
        metric = .custom(name, polarity: .prefersLarger, useScalingFactor: false)
    }

    /// Rows in a second.
    public static let rows = Rate("Rows / s")
    /// Floating-point operations in a second, a multiplication and an addition being two.
    public static let operations = Rate("FLOP / s")

    /// Adds a sample: `count` was done in `duration`.
    public func record(_ count: Int, in duration: Duration, to benchmark: Benchmark) {
        benchmark.measurement(metric, Int(Double(count) / (duration / .seconds(1))))
    }
}
