internal import Glibc

/// Rows in ten groups of stated probability, each as wide as the others.
package struct CalibrationGroups: Sendable {
    private static let groups = 10
    private var rows = [Double](repeating: 0, count: groups)
    private var stated = [Double](repeating: 0, count: groups)
    private var happened = [Double](repeating: 0, count: groups)

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
        let all = rows.reduce(0, +)
        guard all > 0 else { return 0 }
        return zip(stated, happened).reduce(0) { $0 + abs($1.0 - $1.1) } / all
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
            let odds = Self.logOdds(ofBin: bin)
            groups.add(
                probability: 1 / (1 + exp(-odds)), rows: Double(positives[bin] + negatives[bin]),
                positives: Double(positives[bin]))
        }
        return groups.error
    }
}
