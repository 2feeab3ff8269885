internal import CMillraceKernels

/// Count, mean and sum of squared differences from the mean of columns, without missing elements.
package struct ColumnMoments: Sendable {
    package private(set) var count: [Double]
    package private(set) var mean: [Double]
    package private(set) var squares: [Double]

    /// Those of the columns of `[rows, width]`, `stride` floats from row to row.
    ///
    /// Sums are of differences from the column's first number, in double, rows from first to last;
    /// `kernels` decide the last bits.
    package init(
        _ x: Span<Float>, rows: Int, width: Int, stride: Int, kernels: KernelSet
    ) {
        let table = KernelTable(kernels)
        Shape.check(x.count, rows: rows, columns: width, stride: stride)
        count = [Double](repeating: 0, count: width)
        mean = count
        squares = count
        // SAFETY: the span holds what the shape says; the arrays have `width` elements each.
        unsafe x.withUnsafeBufferPointer { x in
            unsafe count.withUnsafeMutableBufferPointer { count in
                unsafe mean.withUnsafeMutableBufferPointer { mean in
                    unsafe squares.withUnsafeMutableBufferPointer { squares in
                        unsafe table.functions.pointee.column_moments(
                            x.baseAddress, stride, rows, width, count.baseAddress,
                            mean.baseAddress, squares.baseAddress)
                    }
                }
            }
        }
    }
}
