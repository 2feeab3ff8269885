internal import CMillraceKernels

extension Conditioning {
    /// Calls a body with what the kernels read.
    func withPointers<R>(_ body: (UnsafePointer<cm_conditioning>) -> R) -> R {
        // SAFETY: the arrays have `width` elements each and live as long as the call.
        unsafe impute.withUnsafeBufferPointer { impute in
            unsafe mean.withUnsafeBufferPointer { mean in
                unsafe limit.withUnsafeBufferPointer { limit in
                    unsafe scale.withUnsafeBufferPointer { scale in
                        var stage = unsafe cm_conditioning(
                            impute: impute.baseAddress, mean: mean.baseAddress,
                            limit: limit.baseAddress, scale: scale.baseAddress,
                            width: width, missing: missing.rawValue)
                        return unsafe body(&stage)
                    }
                }
            }
        }
    }
}

/// Bounds of matrices, checked before any C function sees an address.
enum Shape {
    static func check(_ count: Int, from start: Int = 0, rows: Int, columns: Int, stride: Int) {
        precondition(
            start >= 0 && rows >= 0 && columns >= 0 && stride >= columns
                && (rows == 0 || start + (rows - 1) * stride + columns <= count),
            "a matrix of \(rows) rows of \(columns), \(stride) apart, is not in \(count) elements")
    }
}

/// Operations of training that go element by element, with the best kernels of this processor.
package enum Elementwise {
    /// `z += bias`, then `a = function(z)`, for `[rows, columns]`.
    ///
    /// The bias begins at element `startBias` of its array. `kernels` are the best ones unless a
    /// test asks for others.
    package static func activate(
        _ function: Nonlinearity, bias: [Float], startBias: Int, rows: Int, columns: Int,
        z: inout [Float], a: inout [Float], kernels: KernelSet? = nil
    ) {
        let table = kernels.map(KernelTable.init) ?? .best
        precondition(rows > 0 && columns > 0, "nothing to activate")
        Shape.check(bias.count, from: startBias, rows: 1, columns: columns, stride: columns)
        Shape.check(z.count, rows: rows, columns: columns, stride: columns)
        Shape.check(a.count, rows: rows, columns: columns, stride: columns)
        // SAFETY: both matrices hold `rows` rows of `columns`; no array is empty.
        unsafe bias.withUnsafeBufferPointer { bias in
            unsafe z.withUnsafeMutableBufferPointer { z in
                unsafe a.withUnsafeMutableBufferPointer { a in
                    unsafe table.functions.pointee.activate(
                        function.rawValue, bias.baseAddress.unsafelyUnwrapped + startBias, rows,
                        columns, z.baseAddress, columns, a.baseAddress, columns)
                }
            }
        }
    }

    /// `a = function(a + bias)`; otherwise as above.
    package static func activate(
        _ function: Nonlinearity, bias: [Float], startBias: Int, rows: Int, columns: Int,
        inPlace a: inout [Float], kernels: KernelSet
    ) {
        precondition(rows > 0 && columns > 0, "nothing to activate")
        Shape.check(bias.count, from: startBias, rows: 1, columns: columns, stride: columns)
        Shape.check(a.count, rows: rows, columns: columns, stride: columns)
        // SAFETY: the matrix holds `rows` rows of `columns`; no array is empty.
        unsafe bias.withUnsafeBufferPointer { bias in
            unsafe a.withUnsafeMutableBufferPointer { a in
                unsafe KernelTable(kernels).functions.pointee.activate(
                    function.rawValue, bias.baseAddress.unsafelyUnwrapped + startBias, rows,
                    columns, a.baseAddress, columns, a.baseAddress, columns)
            }
        }
    }

    /// `delta *= function'(z)` for `[rows, columns]`, where `a = function(z)`; then `sums`, from
    /// element `start` on, gets the sums of the columns of `delta`, rows from first to last.
    ///
    /// `z` is nil where the derivative follows from `a` alone.
    package static func differentiate(
        _ function: Nonlinearity, z: [Float]?, a: [Float], delta: inout [Float], rows: Int,
        columns: Int, sums: inout [Float], start: Int, kernels: KernelSet
    ) {
        let z = z ?? a
        precondition(rows > 0 && columns > 0, "nothing to differentiate")
        Shape.check(
            min(z.count, a.count, delta.count), rows: rows, columns: columns, stride: columns)
        Shape.check(sums.count, from: start, rows: 1, columns: columns, stride: columns)
        // SAFETY: the three matrices hold the rows, the sums begin within their array.
        unsafe z.withUnsafeBufferPointer { z in
            unsafe a.withUnsafeBufferPointer { a in
                unsafe delta.withUnsafeMutableBufferPointer { delta in
                    unsafe sums.withUnsafeMutableBufferPointer { sums in
                        unsafe KernelTable(kernels).functions.pointee.differentiate(
                            function.rawValue, z.baseAddress, a.baseAddress, delta.baseAddress,
                            rows, columns, sums.baseAddress.unsafelyUnwrapped + start)
                    }
                }
            }
        }
    }
}
