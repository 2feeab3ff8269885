internal import Synchronization

/// How many durations were how long.
public struct DurationCounts: Sendable, Equatable {
    /// The upper bounds of the buckets, nanoseconds.
    ///
    /// 1, 2 and 5 times the powers of ten, from 1 us to 50 s. What is longer is counted behind the last.
    public static let bounds: [Int64] = (3...10).flatMap { power in
        let unit = (0..<power).reduce(Int64(1)) { value, _ in value * 10 }
        return [unit, 2 * unit, 5 * unit]
    }

    /// How many lie in each bucket: above the bound before, not above its own; one more than bounds.
    public let counts: [Int]
    /// All durations together, nanoseconds.
    public let nanoseconds: Int64

    /// Counts of each bucket, and the sum of all durations.
    ///
    /// - Precondition: one count more than there are bounds.
    public init(counts: [Int], nanoseconds: Int64) {
        precondition(counts.count == Self.bounds.count + 1, "a count for each bucket")
        self.counts = counts
        self.nanoseconds = nanoseconds
    }

    /// How many there are.
    public var count: Int { counts.reduce(0, +) }
}

/// Counts durations, from any number of threads, without a lock.
final class DurationRecorder: Sendable {
    private let counts = InlineArray<25, Atomic<Int>> { _ in Atomic(0) }
    private let nanoseconds = Atomic<Int64>(0)

    /// Counts one; two relaxed additions.
    func add(nanoseconds duration: Int64) {
        let bounds = DurationCounts.bounds
        let bucket = bounds.firstIndex { duration <= $0 } ?? bounds.count
        counts[bucket].wrappingAdd(1, ordering: .relaxed)
        nanoseconds.wrappingAdd(duration, ordering: .relaxed)
    }

    /// What was counted so far.
    var snapshot: DurationCounts {
        DurationCounts(
            counts: counts.indices.map { counts[$0].load(ordering: .relaxed) },
            nanoseconds: nanoseconds.load(ordering: .relaxed))
    }
}
