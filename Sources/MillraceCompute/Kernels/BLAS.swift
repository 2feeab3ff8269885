internal import COpenBLAS

/// Matrix products for training, by OpenBLAS on one thread.
///
/// **Layout**: row-major, rows `stride` floats apart.
package enum BLAS {
    /// Which factor is stored with rows and columns exchanged.
    package enum Form: Sendable { case plain, transposedLeft, transposedRight }

    /// `c[rows, columns] = a * b`, summing over `depth`.
    ///
    /// **Shape**: `a` is `[rows, depth]`, or `[depth, rows]` when transposed; `b` is
    /// `[depth, columns]`, or `[columns, depth]` when transposed; without gaps between rows. `b` and
    /// `c` begin at elements `startB` and `startC` of their arrays.
    package static func multiply(
        _ form: Form, rows: Int, columns: Int, depth: Int, _ a: [Float], _ b: [Float],
        startB: Int = 0, into c: inout [Float], startC: Int = 0
    ) {
        precondition(rows > 0 && columns > 0 && depth > 0, "an empty product")
        let strideA = form == .transposedLeft ? rows : depth
        let strideB = form == .transposedRight ? depth : columns
        Shape.check(a.count, rows: rows * depth / strideA, columns: strideA, stride: strideA)
        Shape.check(
            b.count, from: startB, rows: depth * columns / strideB, columns: strideB,
            stride: strideB)
        Shape.check(c.count, from: startC, rows: rows, columns: columns, stride: columns)
        // SAFETY: the three matrices are within their arrays, which are not empty.
        unsafe a.withUnsafeBufferPointer { a in
            unsafe b.withUnsafeBufferPointer { b in
                unsafe c.withUnsafeMutableBufferPointer { c in
                    unsafe cblas_sgemm(
                        CblasRowMajor, form == .transposedLeft ? CblasTrans : CblasNoTrans,
                        form == .transposedRight ? CblasTrans : CblasNoTrans, Int32(rows),
                        Int32(columns), Int32(depth), 1, a.baseAddress, Int32(strideA),
                        b.baseAddress.unsafelyUnwrapped + startB, Int32(strideB), 0,
                        c.baseAddress.unsafelyUnwrapped + startC, Int32(columns))
                }
            }
        }
    }
}
