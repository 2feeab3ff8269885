internal import MillraceCompute

/// The area under the ROC curve from all scores at once.
public enum ExactAUC {
    /// The probability that a positive has a higher score than a negative, ties counted half.
    ///
    /// Nil without a positive or without a negative.
    /// - Complexity: O(n).
    public static func compute(scores: [Float], positives: [Bool]) -> Double? {
        precondition(scores.count == positives.count, "a score and an outcome for each row")
        var hits: [UInt32] = []
        var misses: [UInt32] = []
        hits.reserveCapacity(scores.count)
        misses.reserveCapacity(scores.count)
        for row in scores.indices {
            if positives[row] {
                hits.append(key(scores[row]))
            } else {
                misses.append(key(scores[row]))
            }
        }
        guard !hits.isEmpty, !misses.isEmpty else { return nil }
        KeySort.sort(&hits)
        KeySort.sort(&misses)
        // Both in order: how many negatives are below a positive, and how many are equal to it.
        var below = 0
        var notAbove = 0
        var twice = 0.0
        for key in hits {
            while below < misses.count, misses[below] < key { below += 1 }
            notAbove = max(notAbove, below)
            while notAbove < misses.count, misses[notAbove] == key { notAbove += 1 }
            twice += Double(below + notAbove)
        }
        return twice / 2 / (Double(hits.count) * Double(misses.count))
    }

    /// Numbers that are in the order of the scores, and equal where they are.
    private static func key(_ score: Float) -> UInt32 {
        let bits = (score == 0 ? 0 : score).bitPattern
        return bits >> 31 == 0 ? bits | 1 << 31 : ~bits
    }
}
