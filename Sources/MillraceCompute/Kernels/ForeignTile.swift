internal import COpenBLAS

/// How many rows OpenBLAS is given at once.
///
/// It sums in another order for other numbers of rows, and some of its kernels also for the last
/// rows of a matrix: those for Haswell and Zen do when the number is no multiple of 12. So the
/// number is fixed, and it is tried whether a row gets the same bits in every place.
enum ForeignTile {
    /// From the fastest; with one row there is only one place.
    private static let candidates = [96, 48, 24, 12, 4, 1]

    /// The largest number of rows for which the place in the tile changes no bit in any layer.
    static func rows(for layers: [PackedNetwork.Layer]) -> Int {
        candidates.first { rows in
            layers.allSatisfy { isEven($0.inputs, $0.outputs, rows: rows) }
        } ?? 1
    }

    /// Tries random rows, each in all places at once: more of them for small layers, of which a
    /// single one might come out the same by chance.
    private static func isEven(_ inputs: Int, _ outputs: Int, rows: Int) -> Bool {
        guard rows > 1 else { return true }
        var state: UInt64 = 1
        func number() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
        }
        let strideA = Packing.padded(inputs, to: 16)
        let strideC = Packing.padded(outputs, to: 16)
        let trials = max(2, min(16, 65_536 / (inputs * outputs)))
        return (0..<trials).allSatisfy { _ in
            let row = (0..<strideA).map { $0 < inputs ? number() : 0 }
            let a = Array(repeatElement(row, count: rows).joined())
            let b = (0..<inputs * outputs).map { _ in number() }
            var c = [Float](repeating: 0, count: rows * strideC)
            // SAFETY: the three matrices fill their arrays.
            unsafe a.withUnsafeBufferPointer { a in
                unsafe b.withUnsafeBufferPointer { b in
                    unsafe c.withUnsafeMutableBufferPointer { c in
                        unsafe multiplyWithOpenBLAS(
                            rows, outputs, inputs, a.baseAddress, strideA, b.baseAddress,
                            c.baseAddress, strideC)
                    }
                }
            }
            return (1..<rows).allSatisfy { place in
                (0..<outputs).allSatisfy { c[place * strideC + $0].bitPattern == c[$0].bitPattern }
            }
        }
    }
}

/// `c[rows, columns] = a[rows, depth] * b[depth, columns]`, as the C kernels call it.
let multiplyWithOpenBLAS:
    @convention(c) (
        Int, Int, Int, UnsafePointer<Float>?, Int, UnsafePointer<Float>?,
        UnsafeMutablePointer<Float>?, Int
    ) -> Void = { rows, columns, depth, a, strideA, b, c, strideC in
        unsafe cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(rows), Int32(columns), Int32(depth),
            1, a, Int32(strideA), b, Int32(columns), 0, c, Int32(strideC))
    }
