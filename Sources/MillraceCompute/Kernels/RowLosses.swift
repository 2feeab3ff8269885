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
        check(
            sums.count, labels, factors, rows, 2, outputs.count, delta.count, costs.count, wide: 1)
        guard rows > 0 else { return 0 }
        let table = KernelTable(kernels)
        let hasFactors = !factors.isEmpty
        // SAFETY: all of them hold the rows, which `check` has made sure of.
        return unsafe sums.withUnsafeBufferPointer { sums in
            unsafe labels.withUnsafeBufferPointer { labels in
                unsafe factors.withUnsafeBufferPointer { factors in
                    unsafe outputs.withUnsafeMutableBufferPointer { outputs in
                        unsafe delta.withUnsafeMutableBufferPointer { delta in
                            unsafe costs.withUnsafeMutableBufferPointer { costs in
                                unsafe table.functions.pointee.judge_logistic(
                                    sums.baseAddress, labels.baseAddress,
                                    hasFactors ? factors.baseAddress : nil, rows,
                                    outputs.baseAddress, delta.baseAddress, costs.baseAddress)
                            }
                        }
                    }
                }
            }
        }
    }

    /// Rows with a sum for each of `classes` classes; otherwise as `logistic`.
    package static func softmax(
        _ sums: [Float], classes: Int, labels: Span<Float>, factors: [Float], rows: Int,
        outputs: inout [Float], delta: inout [Float], costs: inout [Double], _ kernels: KernelSet
    ) -> Int {
        check(
            sums.count, labels, factors, rows, classes, outputs.count, delta.count, costs.count,
            wide: classes)
        guard rows > 0 else { return 0 }
        let table = KernelTable(kernels)
        let hasFactors = !factors.isEmpty
        // SAFETY: all of them hold the rows, and labels are classes, which `check` has made sure of.
        return unsafe sums.withUnsafeBufferPointer { sums in
            unsafe labels.withUnsafeBufferPointer { labels in
                unsafe factors.withUnsafeBufferPointer { factors in
                    unsafe outputs.withUnsafeMutableBufferPointer { outputs in
                        unsafe delta.withUnsafeMutableBufferPointer { delta in
                            unsafe costs.withUnsafeMutableBufferPointer { costs in
                                unsafe table.functions.pointee.judge_softmax(
                                    sums.baseAddress, classes, labels.baseAddress,
                                    hasFactors ? factors.baseAddress : nil, rows,
                                    outputs.baseAddress, delta.baseAddress, costs.baseAddress)
                            }
                        }
                    }
                }
            }
        }
    }

    private static func check(
        _ sums: Int, _ labels: Span<Float>, _ factors: [Float], _ rows: Int, _ classes: Int,
        _ outputs: Int, _ delta: Int, _ costs: Int, wide: Int
    ) {
        precondition(
            rows >= 0 && wide > 0 && min(sums, outputs, delta) >= rows * wide && costs >= rows
                && labels.count >= rows && (factors.isEmpty || factors.count >= rows),
            "rows beyond their end")
        var outside = 0
        for row in 0..<rows where !(labels[row] >= 0 && labels[row] < Float(classes)) {
            outside += 1
        }
        precondition(outside == 0, "\(outside) labels are no classes")
    }
}
