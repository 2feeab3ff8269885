/// What metrics have counted since a moment, from what they had counted by then: nothing is kept of
/// single rows.
package struct ClassificationWindow: Sendable {
    private var before: ClassificationMetrics
    private var counted: ClassificationMetrics

    /// Begins with what was counted so far.
    package init(_ metrics: ClassificationMetrics) {
        before = metrics
        counted = ClassificationMetrics(classes: metrics.classes)
    }

    /// What the same metrics have counted since it began; begins anew.
    ///
    /// - Complexity: O(bins).
    package mutating func take(_ metrics: ClassificationMetrics) -> ClassificationMetrics {
        precondition(metrics.classes == before.classes, "metrics of the same classes")
        counted.rows = metrics.rows - before.rows
        counted.lossSum = metrics.lossSum - before.lossSum
        counted.correct = metrics.correct - before.correct
        before.rows = metrics.rows
        before.lossSum = metrics.lossSum
        before.correct = metrics.correct
        // In place: the arrays are large enough for an allocation to cost more than the sums.
        Self.advance(&before.positives, &counted.positives, to: metrics.positives)
        Self.advance(&before.negatives, &counted.negatives, to: metrics.negatives)
        return counted
    }

    private static func advance(
        _ before: inout [UInt64], _ counted: inout [UInt64], to now: [UInt64]
    ) {
        let now = now.span
        var before = before.mutableSpan
        var counted = counted.mutableSpan
        precondition(before.count == now.count && counted.count == now.count)
        for bin in now.indices {
            counted[bin] = now[bin] &- before[bin]
            before[bin] = now[bin]
        }
    }
}
