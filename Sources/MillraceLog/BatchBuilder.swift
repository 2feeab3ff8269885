internal import MillraceSystem

/// Collects rows for one append.
///
/// Its memory is reused from batch to batch. A builder is either for bytes (`append(value:)`) or for
/// a matrix (`nextRow`, `commitRow`). Rows of a matrix are given as float32 and rounded to the
/// topic's element type when they are appended, or are given in that type (`append(rawRows:)`).
/// Sizes are limited by `LogLimits`; the append refuses a batch that is beyond one.
/// **Thread-safety**: one owner.
public struct BatchBuilder: ~Copyable {
    /// Features or outputs a row; 0 for byte topics.
    ///
    /// May be changed while the builder is empty.
    public var columns: Int {
        willSet { precondition(rows == 0, "a builder with rows keeps its width") }
    }
    /// The type in which rows are given: float32, or the topic's own.
    public let elementType: ElementType
    /// Rows collected so far.
    public private(set) var rows = 0
    /// Where the rows came from.
    public var origin: BatchOrigin?
    /// Id of the feature specification that encoded the rows; 0 for none.
    public var specification: UInt32 = 0
    /// Sequence number of the producer, for file sources and named producers.
    public var sequence: UInt64 = 0
    /// Time of rows that have none of their own, nanoseconds since 1970; 0 lets the append set its
    /// own time.
    public var timestamp: Int64 = 0

    /// Header space, then the payload: so that a stored batch is written from where it was built.
    var buffer = AlignedBuffer(byteCount: 1 << 16)
    private(set) var sections = RowSections()
    /// Whether the rows are those of an append from where they stand, which failed or goes on.
    private(set) var hasAdopted = false

    /// Byte of `buffer` at which the payload begins.
    static let payloadStart = BatchHeader.fullBytes

    /// An empty builder.
    public init(columns: Int = 0, elementType: ElementType = .float32) {
        self.columns = columns
        self.elementType = elementType
    }

    /// Forgets the rows, the origin and the rest; keeps the memory.
    public mutating func reset() {
        rows = 0
        hasAdopted = false
        origin = nil
        specification = 0
        sequence = 0
        timestamp = 0
        sections.removeAll()
    }

    /// Bytes from row to row.
    var rowBytes: Int { columns * elementType.byteCount }

    /// Bytes collected so far, before compression.
    public var byteCount: Int { rows * rowBytes + sections.byteCount }

    /// Number of source rows recorded as dropped.
    public var dropCount: Int { sections.drops.count / 2 }

    /// The memory of the next row, `columns` floats whose content is undefined.
    ///
    /// Fill it, then call `commitRow`; without that call the row is not part of the batch.
    @_lifetime(&self)
    public mutating func nextRow() -> MutableSpan<Float> {
        let start = reserveRows(1, as: .float32)
        return buffer.floats(at: start, count: columns)
    }

    /// Makes the row filled last part of the batch.
    ///
    /// In one batch, either every row is given a label (a delta, a mark, a timestamp) or none is;
    /// keys and headers may be given to some.
    public mutating func commitRow(
        label: Float? = nil, sourceDelta: UInt32? = nil, mark: UInt8? = nil,
        key: Span<UInt8>? = nil, timestamp: Int64? = nil, headers: [RowHeader] = []
    ) {
        if let label { sections.labels.append(label) }
        if let sourceDelta { sections.deltas.append(sourceDelta) }
        if let mark { sections.marks.append(mark) }
        if let timestamp { sections.timestamps.append(timestamp) }
        sections.setKey(key, row: rows)
        sections.setHeaders(headers, row: rows)
        rows += 1
    }

    /// Makes `count` rows part of the batch at once and gives their memory, `[count, columns]`,
    /// whose content is undefined until filled.
    @_lifetime(&self)
    public mutating func addRows(_ count: Int) -> MutableSpan<Float> {
        let start = reserveRows(count, as: .float32)
        rows += count
        return buffer.floats(at: start, count: count * columns)
    }

    /// Adds `count` rows that are in the builder's element type already, `[count, columns]`,
    /// row-major and little-endian.
    public mutating func append(rawRows: RawSpan, count: Int) {
        precondition(rawRows.byteCount == count * rowBytes, "raw rows of another size")
        let start = reserveRows(count, as: elementType)
        var bytes = buffer.mutableBytes
        bytes.copy(rawRows, at: start)
        rows += count
    }

    /// Traps when the rows are those of an append from where they stand.
    ///
    /// Mutating, so that the builder is not copied to be looked at.
    @inline(__always)
    mutating func requireOwnRows() {
        precondition(!hasAdopted, "the builder's rows are another's")
    }

    /// Counts rows that stand elsewhere, for one append, and copies them where they are to be
    /// changed; after an append that failed, the same ones again.
    mutating func adopt(_ rawRows: RawSpan, count: Int, copying: Bool) {
        precondition(rows == 0 || hasAdopted && rows == count, "the builder has rows of its own")
        precondition(rawRows.byteCount == count * rowBytes, "raw rows of another size")
        hasAdopted = false
        rows = 0
        if copying { append(rawRows: rawRows, count: count) }
        rows = count
        hasAdopted = true
    }

    /// Makes room for `count` rows; returns the byte at which they begin.
    private mutating func reserveRows(_ count: Int, as type: ElementType) -> Int {
        precondition(columns > 0, "a builder for bytes has no matrix")
        requireOwnRows()
        precondition(type == elementType, "the builder takes rows as \(elementType)")
        let start = Self.payloadStart + rows * rowBytes
        buffer.reserve(start + count * rowBytes, keeping: start)
        return start
    }

    /// Gives the label of the next row added by `addRows` or `append(rawRows:)`.
    public mutating func addLabel(_ label: Float) { sections.labels.append(label) }

    /// Gives the reason code of the next row added by `addRows`; 0 for a row with a result.
    public mutating func addMark(_ mark: UInt8) { sections.marks.append(mark) }

    /// Gives the source delta of the next row added by `addRows`.
    public mutating func addSourceDelta(_ delta: UInt32) { sections.deltas.append(delta) }

    /// Gives the time of the next row added by `addRows` or `append(rawRows:)`.
    public mutating func addTimestamp(_ timestamp: Int64) { sections.timestamps.append(timestamp) }

    /// Gives the key, nil for none, of the next row added by `addRows` or `append(rawRows:)`.
    public mutating func addKey(_ key: Span<UInt8>?) { sections.addKey(key) }

    /// Adds a row of a byte topic.
    ///
    /// In one batch, either every row is given a timestamp (nanoseconds since 1970) or none is;
    /// keys and headers may be given to some.
    public mutating func append(
        value: Span<UInt8>, key: Span<UInt8>? = nil, timestamp: Int64? = nil,
        headers: [RowHeader] = []
    ) {
        precondition(columns == 0, "a builder with columns has no values")
        sections.addValue(value)
        commitRow(key: key, timestamp: timestamp, headers: headers)
    }

    /// Adds a row of a byte topic.
    public mutating func append(value: some Sequence<UInt8>) {
        precondition(columns == 0, "a builder with columns has no values")
        sections.addValue(value)
        commitRow()
    }

    /// Records that the source row `sourceDelta` after the origin's beginning has no output.
    public mutating func drop(sourceDelta: UInt32, reason: UInt32) {
        sections.drops.append(sourceDelta)
        sections.drops.append(reason)
    }

    /// Header space and payload.
    var memory: RawSpan {
        @_lifetime(borrow self)
        get { buffer.bytes }
    }

    /// The rows given as float32, `[rows, columns]`.
    var matrix: Span<Float> {
        @_lifetime(borrow self)
        get {
            memory.elements(
                Self.payloadStart..<Self.payloadStart + rows * rowBytes, as: Float.self)
        }
    }

    /// Puts the sections behind the matrix, of which the builder has `matrixBytes`: all of it, or
    /// none.
    ///
    /// The header stays as it is.
    @inline(__always)
    mutating func placeSections(_ header: inout BatchHeader, matrixBytes: Int) {
        let start = Self.payloadStart
        buffer.reserve(start + aligned64(header.decodedBytes), keeping: start + matrixBytes)
        sections.place(in: &buffer, at: start, &header)
    }

    /// Gives keys and headers their last places; for `seal`.
    @inline(__always)
    mutating func completeSections() { sections.complete(rows: rows) }
}
