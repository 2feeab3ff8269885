internal import MillraceSystem

/// Features as float32, whatever their element type.
extension RecordBatch {
    /// Widens rows to float32, `[rows, columns]`, without gaps, into the front of `target`.
    ///
    /// Give it blocks that stay in L2. Every kernel set gives the same bits; float32 is copied.
    /// Traps when `target` has not room for them all.
    /// - Complexity: O(elements); no allocation.
    public func widen(rows range: Range<Int>, into target: inout MutableSpan<Float>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows)
        precondition(range.count * columns <= target.count)
        let isDense = stride == columns
        let blocks = isDense ? 1 : range.count
        let width = isDense ? range.count * columns : columns
        for block in 0..<blocks {
            let from = (range.lowerBound + block) * header.stride
            let source = payload.extracting(from..<from + width * elementType.byteCount)
            let to = block * width
            var part = target._mutatingExtracting(to..<to + width)
            if let type = elementType.narrow {
                ElementKernels.best.widen(
                    type, source, into: &part, scale: decoding.scale,
                    zeroPoint: decoding.zeroPoint)
            } else {
                part.copy(source)
            }
        }
    }

    /// Hands over rows as float32: in place when they are stored so, else widened into `buffer`,
    /// which then needs room for `[rows, columns]`.
    ///
    /// `body` gets the features and the number of floats from row to row.
    /// - Complexity: O(1) for `float32`, else O(elements); no allocation.
    public func withFeatures<R: ~Copyable, E: Error>(
        rows range: Range<Int>, buffer: inout MutableSpan<Float>,
        _ body: (Span<Float>, _ stride: Int) throws(E) -> R
    ) throws(E) -> R {
        guard elementType != .float32 else {
            return try body(
                matrix.extracting(range.lowerBound * stride..<range.upperBound * stride), stride)
        }
        widen(rows: range, into: &buffer)
        return try body(buffer.span.extracting(0..<range.count * columns), columns)
    }

    /// The same with memory that grows to what was needed most.
    package func withFeatures<R: ~Copyable, E: Error>(
        rows range: Range<Int>, growing memory: inout [Float],
        _ body: (Span<Float>, _ stride: Int) throws(E) -> R
    ) throws(E) -> R {
        let missing = elementType == .float32 ? 0 : range.count * columns - memory.count
        if missing > 0 { memory.append(contentsOf: repeatElement(0, count: missing)) }
        var buffer = memory.mutableSpan
        return try withFeatures(rows: range, buffer: &buffer, body)
    }
}
