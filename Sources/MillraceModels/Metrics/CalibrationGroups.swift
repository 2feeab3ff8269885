internal import Glibc

/// Rows in ten groups of stated probability, each as wide as the others.
package struct CalibrationGroups: Sendable {
    private static let groups = 10
    // In place: counting is done for each row of a stream.
    private var rows = InlineArray<10, Double>(repeating: 0)
    private var stated = InlineArray<10, Double>(repeating: 0)
    private var happened = InlineArray<10, Double>(repeating: 0)

    package init() {}

    /// Counts rows of one probability, of which so many are positive.
    package mutating func add(probability: Double, rows count: Double, positives: Double) {
        let group = min(max(Int(probability * Double(Self.groups)), 0), Self.groups - 1)
        rows[group] += count
        stated[group] += probability * count
        happened[group] += positives
    }

    /// The mean distance of stated from actual shares, groups weighted by their rows; 0 without any.
    ///
    /// - Source: Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning",
    ///   2015 (expected calibration error).
    package var error: Double {
        var all = 0.0
        var distance = 0.0
        for group in rows.indices {
            all += rows[group]
            distance += abs(stated[group] - happened[group])
        }
        return all > 0 ? distance / all : 0
    }
}

extension ClassificationMetrics {
    /// How far stated probabilities are from what happened: their mean distance over ten groups of
    /// equal width; nil without rows, or for more than two classes.
    ///
    /// A row counts with the probability in the middle of its bin.
    /// - Complexity: O(bins).
    public var calibrationError: Double? {
        guard classes == 2, rows > 0 else { return nil }
        var groups = CalibrationGroups()
        for bin in positives.indices where positives[bin] + negatives[bin] > 0 {
            groups.add(
                probability: Self.probabilities[bin],
                rows: Double(positives[bin] + negatives[bin]), positives: Double(positives[bin]))
        }
        return groups.error
    }

    /// The probability in the middle of each bin.
    private static let probabilities = (0..<binCount).map { 1 / (1 + exp(-logOdds(ofBin: $0))) }
}
