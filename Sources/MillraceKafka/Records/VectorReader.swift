internal import MillraceInput
internal import MillraceLog
internal import MillraceSystem

/// Rows of float32 features, `[rows, columns]`, in memory that is used again and again.
///
/// **Alignment**: 64 bytes. **Thread-safety**: one owner.
package struct FeatureArena: ~Copyable {
    /// How many numbers a row has.
    package let columns: Int
    /// How many rows there are.
    package private(set) var rows = 0
    private var memory = AlignedBuffer(byteCount: 1 << 16)

    /// An arena without rows.
    package init(columns: Int) { self.columns = columns }

    /// Forgets the rows.
    package mutating func reset() { rows = 0 }

    /// The rows, without gaps.
    package var bytes: RawSpan {
        @_lifetime(borrow self)
        get { memory.bytes.extracting(0..<rows * columns * 4) }
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

/// Decodes records that are vectors of features straight into an arena.
///
/// A record that is none leaves the arena as it was. **Thread-safety**: one owner.
package struct VectorReader: ~Copyable {
    private let format: KafkaRowFormat
    private let columns: Int
    private var row: [Float]
    private var blocks: BlockReader

    /// For vectors of `columns` numbers.
    package init(_ format: KafkaRowFormat, columns: Int) {
        self.format = format
        self.columns = columns
        row = [Float](repeating: 0, count: columns)
        blocks = BlockReader(TopicConfiguration(kind: .features, features: columns))
    }

    /// Adds the row, or the rows of a block; returns how many.
    package mutating func add(
        _ value: Span<UInt8>, to arena: inout FeatureArena
    ) throws(RecordFault) -> Int {
        switch format {
        case .block: return try blocks.add(value, to: &arena)
        case .json: try addObject(value, to: &arena)
        case .float32, .csv:
            guard value.count == 4 * columns else {
                throw RecordFault(
                    .undecodable,
                    "expected \(columns) float32, \(4 * columns) bytes, found \(value.count) bytes")
            }
            var target = arena.nextRow()
            FloatBytes.copy(value, into: &target)
        }
        arena.commitRow()
        return 1
    }

    private mutating func addObject(
        _ text: Span<UInt8>, to arena: inout FeatureArena
    ) throws(RecordFault) {
        do throws(JSONFault) { _ = try VectorObject.read(text, into: &row) } catch {
            throw RecordFault(error)
        }
        var target = arena.nextRow()
        for index in row.indices { target[index] = row[index] }
    }
}

extension BlockReader {
    /// Adds all rows of a block of features, or none; returns how many.
    mutating func add(
        _ bytes: Span<UInt8>, to arena: inout FeatureArena
    ) throws(RecordFault) -> Int {
        try read(bytes) { (batch) throws(RecordFault) in
            guard batch.rows > 0 else { return 0 }
            var target = arena.addRows(batch.rows)
            batch.widen(rows: 0..<batch.rows, into: &target)
            return batch.rows
        }
    }
}
