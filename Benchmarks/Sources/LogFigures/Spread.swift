/// The median of values and their middle half.
public struct Spread: Sendable, CustomStringConvertible {
    /// The middle value; NaN without values.
    public let median: Double
    /// A quarter of the values lie below.
    public let low: Double
    /// A quarter of the values lie above.
    public let high: Double

    /// Of `values` in any order.
    public init(_ values: [Double]) {
        let ordered = values.sorted()
        func quantile(_ part: Double) -> Double {
            guard !ordered.isEmpty else { return .nan }
            return ordered[Int((Double(ordered.count - 1) * part).rounded())]
        }
        median = quantile(0.5)
        low = quantile(0.25)
        high = quantile(0.75)
    }

    /// Such as `0.93 [0.91-0.94]`.
    public var description: String {
        guard median.isFinite else { return "no sample" }
        return "\(decimal(median)) [\(decimal(low))-\(decimal(high))]"
    }
}
