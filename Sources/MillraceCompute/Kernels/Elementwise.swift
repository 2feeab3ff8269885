internal import CMillraceKernels

extension Conditioning {
    /// The `rows` rows of `x`, `stride` floats apart, as `[rows, width]` in `y`, neither selected
    /// nor divided by a norm.
    package func apply(
        _ x: Span<Float>, rows: Int, stride: Int, into y: inout [Float]
    ) {
        Shape.check(x.count, rows: rows, columns: width, stride: stride)
        Shape.check(y.count, rows: rows, columns: width, stride: width)
        // SAFETY: the spans hold what the shapes say; the arrays have `width` elements each.
        unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeMutableBufferPointer { y in
                unsafe impute.withUnsafeBufferPointer { impute in
                    unsafe mean.withUnsafeBufferPointer { mean in
                        unsafe limit.withUnsafeBufferPointer { limit in
                            unsafe scale.withUnsafeBufferPointer { scale in
                                var stage = unsafe cm_conditioning(
                                    impute: impute.baseAddress, mean: mean.baseAddress,
                                    limit: limit.baseAddress, scale: scale.baseAddress,
                                    width: width, missing: missing.rawValue)
                                unsafe KernelTable.best.functions.pointee.condition(
                                    &stage, x.baseAddress, stride, rows, y.baseAddress, width,
                                    nil)
                            }
                        }
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

    /// `delta *= function'(z)` for the first `count` elements, where `a = function(z)`.
    package static func differentiate(
        _ function: Nonlinearity, z: [Float], a: [Float], delta: inout [Float], count: Int
    ) {
        precondition(min(z.count, a.count, delta.count) >= count, "too few elements")
        // SAFETY: all three hold `count` elements.
        unsafe z.withUnsafeBufferPointer { z in
            unsafe a.withUnsafeBufferPointer { a in
                unsafe delta.withUnsafeMutableBufferPointer { delta in
                    unsafe KernelTable.best.functions.pointee.differentiate(
                        function.rawValue, z.baseAddress, a.baseAddress, delta.baseAddress, count)
                }
            }
        }
    }
}

/// The constants of one step of Adam.
///
/// - Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1.
package struct AdamStep: Sendable {
    private let rate: Float
    private let epsilon: Float
    private let beta1: Double
    private let beta2: Double
    private let power1: Double
    private let power2: Double

    /// Step t, where `power1` is `beta1^t` and `power2` is `beta2^t`.
    package init(
        rate: Double, epsilon: Double, beta1: Double, power1: Double, beta2: Double,
        power2: Double
    ) {
        self.rate = Float(rate)
        self.epsilon = Float(epsilon)
        self.beta1 = beta1
        self.beta2 = beta2
        self.power1 = power1
        self.power2 = power2
    }

    /// Moves `parameters` in `range` against their gradient.
    ///
    /// `l2` times the parameter is added to the gradient first. The same bits with every kernel set.
    package func apply(
        _ range: Range<Int>, l2: Float, parameters: inout [Float], gradient: [Float],
        moment1: inout [Float], moment2: inout [Float]
    ) {
        precondition(
            range.lowerBound >= 0
                && range.upperBound
                    <= min(parameters.count, gradient.count, moment1.count, moment2.count),
            "a range of parameters beyond their end")
        guard !range.isEmpty else { return }
        var step = cm_adam_step(
            rate: rate, epsilon: epsilon, l2: l2, beta1: Float(beta1), rest1: Float(1 - beta1),
            correction1: Float(1 / (1 - power1)), beta2: Float(beta2), rest2: Float(1 - beta2),
            correction2: Float(1 / (1 - power2)))
        let start = range.lowerBound
        // SAFETY: all four hold the range, which is not empty, so no address is nil.
        unsafe parameters.withUnsafeMutableBufferPointer { parameters in
            unsafe gradient.withUnsafeBufferPointer { gradient in
                unsafe moment1.withUnsafeMutableBufferPointer { moment1 in
                    unsafe moment2.withUnsafeMutableBufferPointer { moment2 in
                        unsafe KernelTable.best.functions.pointee.adam(
                            &step, parameters.baseAddress.unsafelyUnwrapped + start,
                            gradient.baseAddress.unsafelyUnwrapped + start,
                            moment1.baseAddress.unsafelyUnwrapped + start,
                            moment2.baseAddress.unsafelyUnwrapped + start, range.count)
                    }
                }
            }
        }
    }
}

/// Count, mean and sum of squared differences from the mean of columns, without missing elements.
package struct ColumnMoments: Sendable {
    package private(set) var count: [Double]
    package private(set) var mean: [Double]
    package private(set) var squares: [Double]

    /// Those of the columns of `[rows, width]`, `stride` floats from row to row.
    package init(_ x: Span<Float>, rows: Int, width: Int, stride: Int) {
        Shape.check(x.count, rows: rows, columns: width, stride: stride)
        count = [Double](repeating: 0, count: width)
        mean = count
        squares = count
        // SAFETY: the span holds what the shape says; the arrays have `width` elements each.
        unsafe x.withUnsafeBufferPointer { x in
            unsafe count.withUnsafeMutableBufferPointer { count in
                unsafe mean.withUnsafeMutableBufferPointer { mean in
                    unsafe squares.withUnsafeMutableBufferPointer { squares in
                        unsafe cm_column_moments(
                            x.baseAddress, stride, rows, width, count.baseAddress,
                            mean.baseAddress, squares.baseAddress)
                    }
                }
            }
        }
    }
}
