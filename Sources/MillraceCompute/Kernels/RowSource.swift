internal import CMillraceKernels

/// Rows to learn, as they come: `stride` floats apart, with a label for each.
package struct RowSource: ~Escapable {
    /// How features become the model's input; neither selects nor normalises.
    package let stage: Conditioning
    package let features: Span<Float>
    package let stride: Int
    package let labels: Span<Float>
    /// What each row's gradient is multiplied by; empty for 1.
    package let factors: Span<Float>

    @_lifetime(copy features, copy labels, copy factors)
    package init(
        _ stage: Conditioning, _ features: Span<Float>, stride: Int, labels: Span<Float>,
        factors: Span<Float>
    ) {
        self.stage = stage
        self.features = features
        self.stride = stride
        self.labels = labels
        self.factors = factors
    }

    /// Refuses rows beyond the end.
    func check(_ rows: Range<Int>, width: Int) {
        Shape.check(features.count, rows: rows.upperBound, columns: width, stride: stride)
        precondition(
            rows.lowerBound >= 0 && rows.upperBound <= labels.count
                && (factors.isEmpty || rows.upperBound <= factors.count)
                && stage.width == width && stage.norm == .none && stage.select == nil,
            "rows beyond their end")
    }

    /// Calls a body with `count` rows from row `first` on; they have been checked.
    func withPointers<R>(from first: Int, count: Int, _ body: (cm_row_source) -> R) -> R {
        // SAFETY: what is read lies in the spans and arrays, which are not empty.
        unsafe features.withUnsafeBufferPointer { x in
            unsafe labels.withUnsafeBufferPointer { labels in
                unsafe factors.withUnsafeBufferPointer { factors in
                    unsafe stage.withPointers { stage in
                        unsafe body(
                            cm_row_source(
                                stage: stage,
                                x: x.baseAddress.unsafelyUnwrapped + first * stride,
                                stride: stride, rows: count,
                                labels: labels.baseAddress.unsafelyUnwrapped + first,
                                factors: factors.isEmpty
                                    ? nil : factors.baseAddress.unsafelyUnwrapped + first,
                                count: nil, mean: nil, squares: nil))
                    }
                }
            }
        }
    }
}

extension Learnt {
    /// Makes `input` the model's input `[rows, width]` and, where it `measures`, `moments` those of
    /// the rows as they came.
    package mutating func prepare(
        _ source: borrowing RowSource, rows: Int, measures: Bool, into input: inout [Float],
        _ kernels: KernelSet
    ) {
        let width = moments.count.count
        let table = KernelTable(kernels)
        source.check(0..<rows, width: width)
        if input.count < rows * width { input = [Float](repeating: 0, count: rows * width) }
        guard rows > 0 else { return moments.clear() }
        reserve(1, unsafe table.functions.pointee.learn_scratch(width))
        // SAFETY: the source holds the rows, `input` has room for them, and the scratch memory is
        // what the kernel asks for.
        unsafe source.withPointers(from: 0, count: rows) { rows in
            var rows = unsafe rows
            unsafe input.withUnsafeMutableBufferPointer { input in
                unsafe withPointers { moments, _, scratch in
                    if measures {
                        unsafe rows.count = moments.count
                        unsafe rows.mean = moments.mean
                        unsafe rows.squares = moments.squares
                    }
                    unsafe table.functions.pointee.prepare_rows(
                        &rows, input.baseAddress, scratch)
                }
            }
        }
    }
}

/// What comes of learning rows, and the memory for it, kept from batch to batch.
package struct Learnt: Sendable {
    /// Each row's prediction from before its step; may be longer.
    package var sums: [Float] = []
    /// Of the columns of the rows as they came, where those are measured.
    package var moments: ColumnMoments
    private var scratch: [Float] = []

    package init(width: Int) { moments = ColumnMoments(width: width) }

    /// Makes room for the sums of rows, and keeps those there are.
    package mutating func reserve(rows: Int) {
        guard sums.count < rows else { return }
        sums.append(contentsOf: repeatElement(0, count: rows - sums.count))
    }

    mutating func reserve(_ rows: Int, _ scratchCount: Int) {
        reserve(rows: rows)
        if scratch.count < scratchCount { scratch = [Float](repeating: 0, count: scratchCount) }
    }

    @unsafe struct Moments {
        var count: UnsafeMutablePointer<Double>?
        var mean: UnsafeMutablePointer<Double>?
        var squares: UnsafeMutablePointer<Double>?
    }

    /// Calls a body with the addresses of everything; room has been made.
    mutating func withPointers<R>(
        _ body: (Moments, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> R
    ) -> R {
        // SAFETY: `reserve` leaves none of the arrays empty.
        unsafe moments.withPointers { count, mean, squares in
            unsafe sums.withUnsafeMutableBufferPointer { sums in
                unsafe scratch.withUnsafeMutableBufferPointer { scratch in
                    unsafe body(
                        Moments(count: count, mean: mean, squares: squares),
                        sums.baseAddress.unsafelyUnwrapped, scratch.baseAddress.unsafelyUnwrapped)
                }
            }
        }
    }
}
