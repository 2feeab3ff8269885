internal import MillraceSystem

/// Rows of float32 features, `[rows, columns]`, in memory that is used again and again.
///
/// **Alignment**: 64 bytes. **Thread-safety**: one owner.
package struct FeatureArena: ~Copyable {
    /// How many numbers a row has.
    package let columns: Int
    /// How many rows there are.
    package private(set) var rows = 0
    /// The rows' labels, NaN for none; empty where nobody reads them.
    package internal(set) var labels: [Float] = []
    private var memory = AlignedBuffer(byteCount: 1 << 16)

    /// An arena without rows.
    package init(columns: Int) { self.columns = columns }

    /// Forgets the rows.
    package mutating func reset() {
        rows = 0
        labels.removeAll(keepingCapacity: true)
    }

    /// The rows, without gaps.
    package var bytes: RawSpan {
        @_lifetime(borrow self)
        get { memory.bytes.extracting(0..<rows * columns * 4) }
    }

    /// Copies the numbers of some rows.
    package func copy(rows range: Range<Int>, into numbers: inout MutableSpan<Float>) {
        FloatBytes.copy(
            bytes.extracting(range.lowerBound * columns * 4..<range.upperBound * columns * 4),
            into: &numbers)
    }

    /// The memory of the next row, whose content is undefined; `commitRow` makes it a row.
    @_lifetime(&self)
    package mutating func nextRow() -> MutableSpan<Float> {
        let start = rows * columns * 4
        memory.reserve(start + columns * 4, keeping: start)
        return memory.floats(at: start, count: columns)
    }

    /// Makes what was filled last a row.
    package mutating func commitRow() { rows += 1 }

    /// Makes room for `count` more rows and gives their memory; they are rows afterwards.
    @_lifetime(&self)
    mutating func addRows(_ count: Int) -> MutableSpan<Float> {
        let start = rows * columns * 4
        memory.reserve(start + count * columns * 4, keeping: start)
        rows += count
        return memory.floats(at: start, count: count * columns)
    }
}
