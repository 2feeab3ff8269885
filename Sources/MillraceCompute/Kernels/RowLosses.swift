internal import CMillraceKernels

/// Losses of classifications, from the last layer's sums in double; with the kernels of a set.
package enum RowLosses {
    /// What predictions of some rows cost.
    package struct Found: Sendable {
        /// The sum of losses, whatever the rows' weights.
        package var plain = 0.0
        /// The sum of losses, each times its row's weight.
        package var weighted = 0.0
        /// How many rows' most probable class is theirs.
        package var right = 0
    }

    /// Rows with one sum each, the log odds of label 1 against label 0.
    ///
    /// `outputs` become the probabilities of label 1, and `delta`, if it is wanted, the derivatives
    /// of the losses by the sums, times `factors` unless these are empty. All arrays may be longer.
    package static func logistic(
        _ sums: [Float], labels: Span<Float>, factors: [Float], rows: Int,
        outputs: inout [Float], delta: inout [Float], wantsDelta: Bool = true,
        _ kernels: KernelSet
    ) -> Found {
        judge(
            sums, wide: 1, classes: 2, labels: labels, factors: factors, rows: rows,
            outputs: &outputs, delta: &delta, wantsDelta: wantsDelta, kernels)
    }

    /// Rows with a sum for each of `classes` classes; otherwise as `logistic`.
    package static func softmax(
        _ sums: [Float], classes: Int, labels: Span<Float>, factors: [Float], rows: Int,
        outputs: inout [Float], delta: inout [Float], _ kernels: KernelSet
    ) -> Found {
        precondition(classes > 1, "one class is no choice")
        return judge(
            sums, wide: classes, classes: classes, labels: labels, factors: factors, rows: rows,
            outputs: &outputs, delta: &delta, wantsDelta: true, kernels)
    }

    /// Rows of `wide` sums; those with one sum are of two classes.
    private static func judge(
        _ sums: [Float], wide: Int, classes: Int, labels: Span<Float>, factors: [Float], rows: Int,
        outputs: inout [Float], delta: inout [Float], wantsDelta: Bool, _ kernels: KernelSet
    ) -> Found {
        precondition(
            labelsOutside(labels, rows: rows, classes: classes) == 0, "labels that are no classes")
        precondition(
            rows >= 0 && min(sums.count, outputs.count, delta.count) >= rows * wide
                && (factors.isEmpty || factors.count >= rows),
            "rows beyond their end")
        guard rows > 0 else { return Found() }
        let table = KernelTable(kernels)
        let hasFactors = !factors.isEmpty
        // SAFETY: all of them hold the rows, and labels are classes, as has been made sure of.
        return unsafe sums.withUnsafeBufferPointer { sums in
            unsafe labels.withUnsafeBufferPointer { labels in
                unsafe factors.withUnsafeBufferPointer { factors in
                    unsafe outputs.withUnsafeMutableBufferPointer { outputs in
                        unsafe delta.withUnsafeMutableBufferPointer { delta in
                            let functions = unsafe table.functions.pointee
                            let weights = hasFactors ? factors.baseAddress : nil
                            let slopes = wantsDelta ? delta.baseAddress : nil
                            let found =
                                wide == 1
                                ? unsafe functions.judge_logistic(
                                    sums.baseAddress, labels.baseAddress, weights, rows,
                                    outputs.baseAddress, slopes)
                                : unsafe functions.judge_softmax(
                                    sums.baseAddress, classes, labels.baseAddress, weights, rows,
                                    outputs.baseAddress, slopes)
                            return Found(
                                plain: found.plain, weighted: found.weighted,
                                right: Int(found.right))
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
                && bins <= Int(Int32.max) && negatives.count == bins && range > 0,
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
