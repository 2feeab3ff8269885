internal import MillraceSystem

/// Collects rows for one append.
///
/// Its memory is reused from batch to batch. A builder is either for bytes (`append(value:)`) or for a matrix (`nextRow`, `commitRow`).
/// **Thread-safety**: one owner.
public struct BatchBuilder: ~Copyable {
    /// Features or outputs a row; 0 for byte topics.
    ///
    /// May be changed while the builder is empty.
    public var columns: Int {
        willSet { precondition(rows == 0, "a builder with rows keeps its width") }
    }
    /// Rows collected so far.
    public private(set) var rows = 0
    /// Where the rows came from.
    public var origin: BatchOrigin?
    /// Id of the feature specification that encoded the rows; 0 for none.
    public var specification: UInt32 = 0
    /// Sequence number of the producer, for file sources and named producers.
    public var sequence: UInt64 = 0
    /// Time of the rows, nanoseconds since 1970; 0 lets the append set its own time.
    public var timestamp: Int64 = 0

    /// Header space, then the payload: so that a stored batch is written from where it was built.
    private var buffer = AlignedBuffer(byteCount: 1 << 16)
    private var labels: [Float] = []
    private var marks: [UInt8] = []
    private var deltas: [UInt32] = []
    private var drops: [UInt32] = []
    private var valueEnds: [UInt32] = []
    private var values: [UInt8] = []

    /// Byte of `buffer` at which the payload begins.
    static let payloadStart = BatchHeader.fullBytes

    /// An empty builder.
    public init(columns: Int = 0) { self.columns = columns }

    /// Forgets the rows, the origin and the rest; keeps the memory.
    public mutating func reset() {
        rows = 0
        origin = nil
        specification = 0
        sequence = 0
        timestamp = 0
        labels.removeAll(keepingCapacity: true)
        marks.removeAll(keepingCapacity: true)
        deltas.removeAll(keepingCapacity: true)
        drops.removeAll(keepingCapacity: true)
        valueEnds.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
    }

    /// Bytes collected so far, before compression.
    public var byteCount: Int { rows * columns * 4 + values.count + drops.count * 4 }

    /// Number of source rows recorded as dropped.
    public var dropCount: Int { drops.count / 2 }

    /// The memory of the next row, `columns` floats whose content is undefined.
    ///
    /// Fill it, then call `commitRow`; without that call the row is not part of the batch.
    @_lifetime(&self)
    public mutating func nextRow() -> MutableSpan<Float> {
        precondition(columns > 0, "a builder for bytes has no matrix")
        let start = Self.payloadStart + rows * columns * 4
        buffer.reserve(start + columns * 4, keeping: start)
        return buffer.floats(at: start, count: columns)
    }

    /// Makes the row filled last part of the batch.
    ///
    /// In one batch, either every row is given a
    /// label (a delta, a mark) or none is.
    public mutating func commitRow(
        label: Float? = nil, sourceDelta: UInt32? = nil, mark: UInt8? = nil
    ) {
        rows += 1
        if let label { labels.append(label) }
        if let sourceDelta { deltas.append(sourceDelta) }
        if let mark { marks.append(mark) }
    }

    /// Makes `count` rows part of the batch at once and gives their memory, `[count, columns]`,
    /// whose content is undefined until filled.
    @_lifetime(&self)
    public mutating func addRows(_ count: Int) -> MutableSpan<Float> {
        precondition(columns > 0, "a builder for bytes has no matrix")
        let start = Self.payloadStart + rows * columns * 4
        buffer.reserve(start + count * columns * 4, keeping: start)
        rows += count
        return buffer.floats(at: start, count: count * columns)
    }

    /// Gives the reason code of the next row added by `addRows`; 0 for a row with a result.
    public mutating func addMark(_ mark: UInt8) { marks.append(mark) }

    /// Gives the source delta of the next row added by `addRows`.
    public mutating func addSourceDelta(_ delta: UInt32) { deltas.append(delta) }

    /// Adds a row of a byte topic.
    public mutating func append(value: Span<UInt8>) {
        precondition(columns == 0, "a builder with columns has no values")
        values.append(addingCapacity: value.count) { added in
            for index in value.indices { added.append(value[index]) }
        }
        valueEnds.append(UInt32(clamping: values.count))
        rows += 1
    }

    /// Adds a row of a byte topic.
    public mutating func append(value: some Sequence<UInt8>) {
        precondition(columns == 0, "a builder with columns has no values")
        values.append(contentsOf: value)
        valueEnds.append(UInt32(clamping: values.count))
        rows += 1
    }

    /// Records that the source row `sourceDelta` after the origin's beginning has no output.
    public mutating func drop(sourceDelta: UInt32, reason: UInt32) {
        drops.append(sourceDelta)
        drops.append(reason)
    }

    /// Puts the sections behind the matrix; returns the header as far as the builder knows it.
    mutating func seal() throws(LogError) -> BatchHeader {
        // Rows that follow each other in the source need no list of where they came from.
        if deltas.count == rows, deltas.indices.allSatisfy({ Int(deltas[$0]) == $0 }) {
            deltas.removeAll(keepingCapacity: true)
        }
        func require(_ count: Int, _ what: String) throws(LogError) {
            guard count == 0 || count == rows else {
                throw LogError(
                    .invalidArgument, "\(count) \(what) for a batch of \(rows) rows")
            }
        }
        try require(labels.count, "labels")
        try require(marks.count, "marks")
        try require(deltas.count, "source deltas")
        guard columns > 0 || valueEnds.count == rows else {
            throw LogError(
                .invalidArgument, "\(valueEnds.count) values for a batch of \(rows) rows")
        }
        for end in [origin?.begin ?? 0, origin?.end ?? 0] where end > BatchHeader.maxOffset {
            throw LogError(.invalidArgument, "a source offset is at most 2^62, not \(end)")
        }
        guard byteCount <= BatchHeader.maxBatchBytes / 2 else {
            throw LogError(.tooLarge, "a batch has at most 512 MiB, not \(byteCount) bytes")
        }
        var header = BatchHeader()
        header.rows = rows
        header.columns = columns
        header.stride = columns * 4
        header.drops = drops.count / 2
        header.origin = origin
        header.specification = specification
        header.sequence = sequence
        header.firstTimestamp = timestamp
        header.maxTimestamp = timestamp
        header.attributes.set(BatchAttributes.labels, !labels.isEmpty)
        header.attributes.set(BatchAttributes.marks, !marks.isEmpty)
        header.attributes.set(BatchAttributes.deltas, !deltas.isEmpty)
        header.attributes.set(BatchAttributes.drops, !drops.isEmpty)
        header.attributes.set(BatchAttributes.values, !valueEnds.isEmpty)
        let layout = PayloadLayout(header)
        header.decodedBytes = layout.end + values.count
        guard header.decodedBytes <= BatchHeader.maxBatchBytes else {
            throw LogError(
                .tooLarge,
                "a batch has at most 1 GiB with its labels, marks, deltas and drops, "
                    + "not \(header.decodedBytes) bytes")
        }
        let matrixEnd = Self.payloadStart + rows * columns * 4
        buffer.reserve(Self.payloadStart + aligned64(header.decodedBytes), keeping: matrixEnd)
        Self.clear(matrixEnd, Self.payloadStart + aligned64(header.decodedBytes), in: &buffer)
        Self.place(labels, at: layout.labels, in: &buffer)
        Self.place(marks, at: layout.marks, in: &buffer)
        Self.place(deltas, at: layout.deltas, in: &buffer)
        Self.place(drops, at: layout.drops, in: &buffer)
        Self.place(valueEnds, at: layout.valueEnds, in: &buffer)
        Self.place(values, at: layout.valueBytes, in: &buffer)
        return header
    }

    private static func place<T: BitwiseCopyable>(
        _ values: [T], at offset: Int, in buffer: inout AlignedBuffer
    ) {
        var bytes = buffer.mutableBytes
        bytes.copy(values, at: payloadStart + offset)
    }

    private static func clear(_ start: Int, _ end: Int, in buffer: inout AlignedBuffer) {
        var bytes = buffer.mutableBytes
        bytes.zero(start, to: end)
    }

    /// Header space and payload, after `seal`.
    var memory: RawSpan {
        @_lifetime(borrow self)
        get { buffer.bytes }
    }

    /// The same, for writing the header in front of the payload.
    mutating func withBuffer(
        _ body: (inout AlignedBuffer) throws(LogError) -> Void
    ) throws(LogError) {
        try body(&buffer)
    }
}
