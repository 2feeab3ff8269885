/// Notices when the mean of a sequence of numbers rises.
///
/// - Source: Page, "Continuous Inspection Schemes", 1954; Gama et al., "A Survey on Concept Drift
///   Adaptation", 2014, section 3.2.
struct PageHinkley: Sendable, Codable, Equatable {
    /// Numbers that are seen before an alarm is possible.
    private static let minCount = 30

    private var count = 0
    private var mean = 0.0
    private var sum = 0.0
    private var lowest = 0.0

    /// Looks at the next number; how far the mean has risen when that is an alarm, after which it
    /// begins anew.
    mutating func add(_ value: Double, _ detection: DriftDetection) -> Double? {
        count += 1
        mean += (value - mean) / Double(count)
        sum += value - mean - detection.tolerance
        lowest = min(lowest, sum)
        let rise = sum - lowest
        guard count >= Self.minCount, rise > detection.threshold else { return nil }
        self = PageHinkley()
        return rise
    }
}
