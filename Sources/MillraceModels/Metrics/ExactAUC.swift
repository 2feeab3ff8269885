/// The area under the ROC curve from all scores at once.
public enum ExactAUC {
    /// The probability that a positive has a higher score than a negative, ties counted half.
    ///
    /// Nil without a positive or without a negative.
    /// - Complexity: O(n log n).
    public static func compute(scores: [Float], positives: [Bool]) -> Double? {
        precondition(scores.count == positives.count, "a score and an outcome for each row")
        let order = scores.indices.sorted { scores[$0] < scores[$1] }
        var negativesBelow = 0.0
        var positiveCount = 0.0
        var wins = 0.0
        var start = 0
        while start < order.count {
            var tiedPositives = 0.0
            var tiedNegatives = 0.0
            var end = start
            repeat {
                if positives[order[end]] { tiedPositives += 1 } else { tiedNegatives += 1 }
                end += 1
            } while end < order.count && scores[order[end]] == scores[order[start]]
            wins += tiedPositives * (negativesBelow + tiedNegatives / 2)
            negativesBelow += tiedNegatives
            positiveCount += tiedPositives
            start = end
        }
        guard positiveCount > 0, negativesBelow > 0 else { return nil }
        return wins / (positiveCount * negativesBelow)
    }
}
