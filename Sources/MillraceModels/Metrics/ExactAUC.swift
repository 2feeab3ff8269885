internal import MillraceCompute

/// The area under the ROC curve from all scores at once.
public enum ExactAUC {
    /// The probability that a positive has a higher score than a negative, ties counted half.
    ///
    /// Nil without a positive or without a negative.
    /// - Complexity: O(n).
    public static func compute(scores: [Float], positives: [Bool]) -> Double? {
        let won = PairsWon(scores: scores.span, positives: positives.span)
        guard won.positives > 0, won.negatives > 0 else { return nil }
        return Double(won.twice) / 2 / (Double(won.positives) * Double(won.negatives))
    }
}
