/// The area under the ROC curve from all scores at once.
public enum ExactAUC {
    /// The probability that a positive has a higher score than a negative, ties counted half.
    ///
    /// Nil without a positive or without a negative.
    /// - Complexity: O(n).
    public static func compute(scores: [Float], positives: [Bool]) -> Double? {
        precondition(scores.count == positives.count, "a score and an outcome for each row")
        var order = zip(scores, positives).map { UInt64(key($0)) << 1 | ($1 ? 1 : 0) }
        sort(&order)
        var negativesBelow = 0.0
        var positiveCount = 0.0
        var wins = 0.0
        var start = 0
        while start < order.count {
            var tiedPositives = 0.0
            var tiedNegatives = 0.0
            var end = start
            repeat {
                if order[end] & 1 == 1 { tiedPositives += 1 } else { tiedNegatives += 1 }
                end += 1
            } while end < order.count && order[end] >> 1 == order[start] >> 1
            wins += tiedPositives * (negativesBelow + tiedNegatives / 2)
            negativesBelow += tiedNegatives
            positiveCount += tiedPositives
            start = end
        }
        guard positiveCount > 0, negativesBelow > 0 else { return nil }
        return wins / (positiveCount * negativesBelow)
    }

    /// Numbers that are in the order of the scores, and equal where they are.
    private static func key(_ score: Float) -> UInt32 {
        let bits = (score == 0 ? 0 : score).bitPattern
        return bits >> 31 == 0 ? bits | 1 << 31 : ~bits
    }

    /// Sorts by the keys, 11 of their 32 bits at a time from the lowest on.
    private static func sort(_ items: inout [UInt64]) {
        var target = items
        for shift in stride(from: 1, to: 33, by: 11) {
            var places = [Int](repeating: 0, count: 2048)
            for item in items { places[Int(item >> UInt64(shift) & 2047)] += 1 }
            var next = 0
            for digit in places.indices { (places[digit], next) = (next, next + places[digit]) }
            for item in items {
                let digit = Int(item >> UInt64(shift) & 2047)
                target[places[digit]] = item
                places[digit] += 1
            }
            swap(&items, &target)
        }
    }
}
