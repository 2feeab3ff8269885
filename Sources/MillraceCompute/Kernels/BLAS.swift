internal import COpenBLAS

/// Matrix products by OpenBLAS on one thread.
enum BLAS {
    /// See `MatrixProduct.multiply`.
    static func multiply(
        _ form: MatrixProduct.Form, _ size: MatrixProduct.Size, _ a: Span<Float>, _ b: [Float],
        startB: Int, into c: inout [Float], startC: Int
    ) {
        let strides = MatrixProduct.Strides(form, size)
        strides.check(size, a, b, startB: startB, c, startC: startC)
        // SAFETY: the three matrices are within their arrays, which are not empty.
        unsafe a.withUnsafeBufferPointer { a in
            unsafe b.withUnsafeBufferPointer { b in
                unsafe c.withUnsafeMutableBufferPointer { c in
                    unsafe cblas_sgemm(
                        CblasRowMajor, form == .transposedLeft ? CblasTrans : CblasNoTrans,
                        form == .transposedRight ? CblasTrans : CblasNoTrans, Int32(size.rows),
                        Int32(size.columns), Int32(size.depth), 1, a.baseAddress,
                        Int32(strides.a), b.baseAddress.unsafelyUnwrapped + startB,
                        Int32(strides.b), 0, c.baseAddress.unsafelyUnwrapped + startC,
                        Int32(size.columns))
                }
            }
        }
    }
}
