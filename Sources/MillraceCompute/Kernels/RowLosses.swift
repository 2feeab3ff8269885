internal import CMillraceKernels

/// Losses of classifications, from the last layer's sums in double; with the kernels of a set.
package enum RowLosses {
    /// Rows with one sum each, the log odds of label 1 against label 0.
    ///
    /// `outputs` become the probabilities of label 1, `delta` the derivatives of the losses by the
    /// sums, times `factors` unless these are empty, and `costs` the losses themselves. All arrays
    /// may be longer. Returns how many rows are on the right side.
    package static func logistic(
        _ sums: [Float], labels: Span<Float>, factors: [Float], rows: Int,
        outputs: inout [Float], delta: inout [Float], costs: inout [Double], _ kernels: KernelSet
    ) -> Int {
        judge(
            sums, wide: 1, classes: 2, labels: labels, factors: factors, rows: rows,
            outputs: &outputs, delta: &delta, costs: &costs, kernels)
    }

    /// Rows with a sum for each of `classes` classes; otherwise as `logistic`.
    package static func softmax(
        _ sums: [Float], classes: Int, labels: Span<Float>, factors: [Float], rows: Int,
        outputs: inout [Float], delta: inout [Float], costs: inout [Double], _ kernels: KernelSet
    ) -> Int {
        precondition(classes > 1, "one class is no choice")
        return judge(
            sums, wide: classes, classes: classes, labels: labels, factors: factors, rows: rows,
            outputs: &outputs, delta: &delta, costs: &costs, kernels)
    }

    /// Rows of `wide` sums; those with one sum are of two classes.
    private static func judge(
        _ sums: [Float], wide: Int, classes: Int, labels: Span<Float>, factors: [Float], rows: Int,
        outputs: inout [Float], delta: inout [Float], costs: inout [Double], _ kernels: KernelSet
    ) -> Int {
        precondition(
            labelsOutside(labels, rows: rows, classes: classes) == 0, "labels that are no classes")
        precondition(
            rows >= 0 && min(sums.count, outputs.count, delta.count) >= rows * wide
                && costs.count >= rows && (factors.isEmpty || factors.count >= rows),
            "rows beyond their end")
        guard rows > 0 else { return 0 }
        let table = KernelTable(kernels)
        let hasFactors = !factors.isEmpty
        // SAFETY: all of them hold the rows, and labels are classes, as has been made sure of.
        return unsafe sums.withUnsafeBufferPointer { sums in
            unsafe labels.withUnsafeBufferPointer { labels in
                unsafe factors.withUnsafeBufferPointer { factors in
                    unsafe outputs.withUnsafeMutableBufferPointer { outputs in
                        unsafe delta.withUnsafeMutableBufferPointer { delta in
                            unsafe costs.withUnsafeMutableBufferPointer { costs in
                                let functions = unsafe table.functions.pointee
                                let weights = hasFactors ? factors.baseAddress : nil
                                return wide == 1
                                    ? unsafe functions.judge_logistic(
                                        sums.baseAddress, labels.baseAddress, weights, rows,
                                        outputs.baseAddress, delta.baseAddress, costs.baseAddress)
                                    : unsafe functions.judge_softmax(
                                        sums.baseAddress, classes, labels.baseAddress, weights,
                                        rows, outputs.baseAddress, delta.baseAddress,
                                        costs.baseAddress)
                            }
                        }
                    }
                }
            }
        }
    }

    /// How many of the first `rows` labels are no classes from 0 to below `classes`.
    package static func labelsOutside(_ labels: Span<Float>, rows: Int, classes: Int) -> Int {
        precondition(labels.count >= rows && rows >= 0 && classes > 0, "rows beyond their end")
        // SAFETY: the span holds the rows.
        return unsafe labels.withUnsafeBufferPointer { labels in
            unsafe KernelTable.best.functions.pointee.labels_outside(
                labels.baseAddress, rows, classes)
        }
    }

    /// Counts rows in equal bins of their log odds from `-range` to `range`, by their labels.
    ///
    /// Those beyond count in the outer bins, and what is no number in the first. There are as many
    /// bins for either label.
    package static func countOdds(
        _ odds: [Float], labels: Span<Float>, rows: Int, range: Double,
        positives: inout [UInt64], negatives: inout [UInt64]
    ) {
        let bins = positives.count
        precondition(
            rows >= 0 && min(odds.count, labels.count) >= rows && bins > 0
                && negatives.count == bins && range > 0,
            "rows beyond their end")
        // SAFETY: the arrays hold the rows, and the kernel keeps places within the bins.
        unsafe odds.withUnsafeBufferPointer { odds in
            unsafe labels.withUnsafeBufferPointer { labels in
                unsafe positives.withUnsafeMutableBufferPointer { positives in
                    unsafe negatives.withUnsafeMutableBufferPointer { negatives in
                        unsafe KernelTable.best.functions.pointee.count_odds(
                            odds.baseAddress, labels.baseAddress, rows, range, bins,
                            positives.baseAddress, negatives.baseAddress)
                    }
                }
            }
        }
    }
}
