internal import CMillraceKernels

/// Count, mean and sum of squared differences from the mean of columns, without missing elements.
package struct ColumnMoments: Sendable, Equatable {
    package internal(set) var count: [Double]
    package internal(set) var mean: [Double]
    package internal(set) var squares: [Double]

    /// Those of no rows.
    package init(width: Int) {
        count = [Double](repeating: 0, count: width)
        mean = count
        squares = count
    }

    /// Numbers from elsewhere, all of the same length.
    package init(count: [Double], mean: [Double], squares: [Double]) {
        precondition(count.count == mean.count && mean.count == squares.count, "unequal lengths")
        self.count = count
        self.mean = mean
        self.squares = squares
    }

    /// Those of the columns of `[rows, width]`, `stride` floats from row to row.
    ///
    /// Sums are of differences from the column's first number, in double, rows from first to last;
    /// `kernels` decide the last bits.
    package init(
        _ x: Span<Float>, rows: Int, width: Int, stride: Int, kernels: KernelSet
    ) {
        self.init(width: width)
        measure(x, rows: rows, stride: stride, kernels: kernels)
    }

    /// Becomes those of other rows.
    package mutating func measure(
        _ x: Span<Float>, rows: Int, stride: Int, kernels: KernelSet
    ) {
        let table = KernelTable(kernels)
        let width = count.count
        Shape.check(x.count, rows: rows, columns: width, stride: stride)
        // SAFETY: the span holds what the shape says; the arrays have `width` elements each.
        unsafe x.withUnsafeBufferPointer { x in
            unsafe withPointers { count, mean, squares in
                unsafe table.functions.pointee.column_moments(
                    x.baseAddress, stride, rows, width, count, mean, squares)
            }
        }
    }

    /// Counts other rows too; the same bits with every kernel set.
    ///
    /// - Source: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
    ///   Sample Variances", 1979.
    package mutating func merge(_ other: ColumnMoments) {
        let width = count.count
        precondition(other.count.count == width, "moments of other columns")
        // SAFETY: all six arrays have `width` elements.
        unsafe other.count.withUnsafeBufferPointer { more in
            unsafe other.mean.withUnsafeBufferPointer { otherMean in
                unsafe other.squares.withUnsafeBufferPointer { otherSquares in
                    unsafe withPointers { count, mean, squares in
                        unsafe KernelTable.best.functions.pointee.merge_moments(
                            count, mean, squares, more.baseAddress, otherMean.baseAddress,
                            otherSquares.baseAddress, width)
                    }
                }
            }
        }
    }

    /// What each column is multiplied by to have a standard deviation of 1.
    ///
    /// It is 1 for a column that never changed, or by less than floats can tell; the same bits with
    /// every kernel set.
    package var units: [Float] {
        let width = count.count
        var units = [Float](repeating: 1, count: width)
        // SAFETY: all three arrays have `width` elements.
        unsafe units.withUnsafeMutableBufferPointer { units in
            unsafe count.withUnsafeBufferPointer { count in
                unsafe squares.withUnsafeBufferPointer { squares in
                    unsafe KernelTable.best.functions.pointee.column_units(
                        count.baseAddress, squares.baseAddress, width, units.baseAddress)
                }
            }
        }
        return units
    }

    /// Forgets all rows.
    package mutating func clear() {
        for i in count.indices {
            count[i] = 0
            mean[i] = 0
            squares[i] = 0
        }
    }

    /// The first column whose moments are not finite, as those of infinite numbers are.
    package var firstInfinite: Int? {
        var sum = 0.0
        // What is not finite leaves no number behind, whatever comes after it.
        for i in mean.indices { sum += 0 * mean[i] + 0 * squares[i] }
        guard sum != 0 else { return nil }
        return mean.indices.first { !mean[$0].isFinite || !squares[$0].isFinite }
    }

    /// Calls a body with the three arrays' addresses.
    mutating func withPointers<R>(
        _ body: (
            UnsafeMutablePointer<Double>?, UnsafeMutablePointer<Double>?,
            UnsafeMutablePointer<Double>?
        ) -> R
    ) -> R {
        unsafe count.withUnsafeMutableBufferPointer { count in
            unsafe mean.withUnsafeMutableBufferPointer { mean in
                unsafe squares.withUnsafeMutableBufferPointer { squares in
                    unsafe body(count.baseAddress, mean.baseAddress, squares.baseAddress)
                }
            }
        }
    }
}
