internal import Glibc

/// Rows in ten groups of stated probability, each as wide as the others.
struct CalibrationGroups: Sendable {
    private static let groups = 10
    private var rows = InlineArray<10, Double>(repeating: 0)
    private var stated = InlineArray<10, Double>(repeating: 0)
    private var happened = InlineArray<10, Double>(repeating: 0)

    @inline(__always)
    private static func group(of probability: Double) -> Int {
        min(max(Int(probability * Double(groups)), 0), groups - 1)
    }

    /// Counts rows in bins of one probability each, the least first.
    mutating func add(
        bins probabilities: Span<Double>, positives: Span<UInt64>, negatives: Span<UInt64>
    ) {
        precondition(
            positives.count == probabilities.count && negatives.count == probabilities.count,
            "rows of both kinds for each bin")
        var bin = 0
        // Bins of a group are neighbours: its sums wait for no memory meanwhile.
        while bin < probabilities.count {
            let group = Self.group(of: probabilities[bin])
            var (rows, stated, happened) = (rows[group], stated[group], happened[group])
            repeat {
                let hits = Double(Int64(bitPattern: positives[bin]))
                let count = Double(Int64(bitPattern: positives[bin] &+ negatives[bin]))
                rows += count
                stated += probabilities[bin] * count
                happened += hits
                bin += 1
            } while bin < probabilities.count && Self.group(of: probabilities[bin]) == group
            self.rows[group] = rows
            self.stated[group] = stated
            self.happened[group] = happened
        }
    }

    /// The mean distance of stated from actual shares, groups weighted by their rows; 0 without any.
    ///
    /// - Source: Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning",
    ///   2015 (expected calibration error).
    var error: Double {
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
        groups.add(
            bins: Self.probabilities.span, positives: positives.span, negatives: negatives.span)
        return groups.error
    }

    /// The probability in the middle of each bin.
    private static let probabilities = (0..<binCount).map { 1 / (1 + exp(-logOdds(ofBin: $0))) }
}
