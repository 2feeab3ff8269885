internal import Synchronization

/// Counts durations finely enough for quantiles, from any number of threads, without a lock.
///
/// Buckets are those of HdrHistogram with sixteen parts to a power of two: a quantile is at most a
/// sixteenth above the duration that it stands for. What is below 1 us is counted as that, what is
/// above a minute as a minute.
final class LatencyRecorder: Sendable {
    static let buckets = 433
    private static let parts = 16
    /// Durations below 2 to this power of nanoseconds are in the first bucket.
    private static let leastPower = 10

    private let counts = InlineArray<433, Atomic<Int>> { _ in Atomic(0) }

    /// Counts one; a relaxed addition.
    func add(nanoseconds duration: Int64) {
        counts[Self.bucket(of: duration)].wrappingAdd(1, ordering: .relaxed)
    }

    /// What was counted so far, bucket by bucket.
    var snapshot: [Int] { counts.indices.map { counts[$0].load(ordering: .relaxed) } }

    static func bucket(of duration: Int64) -> Int {
        guard duration >= 1 << leastPower else { return 0 }
        let power = 63 - duration.leadingZeroBitCount
        let part = Int(duration >> (power - 4)) & (parts - 1)
        return min(1 + (power - leastPower) * parts + part, buckets - 1)
    }

    /// The longest duration of a bucket, nanoseconds.
    static func bound(of bucket: Int) -> Int64 {
        guard bucket > 0 else { return 1 << leastPower }
        let (power, part) = (bucket - 1).quotientAndRemainder(dividingBy: parts)
        return Int64(parts + part + 1) << (power + leastPower - 4)
    }
}

/// How long batches took, from being fetched to being committed.
public struct BatchLatency: Sendable, Equatable, Codable {
    /// How many batches.
    public let batches: Int
    /// Half of them took at most this long, microseconds.
    public let p50: Double
    /// 99 of 100 took at most this long, microseconds.
    public let p99: Double
    /// 999 of 1,000 took at most this long, microseconds.
    public let p999: Double

    /// Of counts as `LatencyRecorder` makes them; nil where there are none.
    init?(_ counts: [Int]) {
        let all = counts.reduce(0, +)
        guard all > 0 else { return nil }
        func quantile(_ part: Double) -> Double {
            var left = max(Int((Double(all) * part).rounded(.up)), 1)
            for (bucket, count) in counts.enumerated() {
                left -= count
                if left <= 0 { return Double(LatencyRecorder.bound(of: bucket)) / 1000 }
            }
            return Double(LatencyRecorder.bound(of: counts.count - 1)) / 1000
        }
        batches = all
        p50 = quantile(0.5)
        p99 = quantile(0.99)
        p999 = quantile(0.999)
    }
}
