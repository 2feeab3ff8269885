internal import MillraceSystem

/// A whole batch as a reader sees it.
///
/// Its spans point into the mapped file, or into the reader's arena when the batch was compressed. It
/// cannot outlive the reader's turn: the compiler refuses.
///
/// **Layout**: the matrix is row-major `[rows, columns]`, 64-byte aligned; rows begin `stride`
/// elements apart. Of topics with `float32` elements it is used in place (`matrix`), of others it is
/// widened block by block (`widen`). **Thread-safety**: used by the thread that reads.
public struct RecordBatch: ~Copyable, ~Escapable {
    /// The one batch that the reader decoded last: what is handed over is small, whatever is known
    /// of the batch.
    private let decoded: Span<DecodedBatch>
    let payload: RawSpan
    /// Rows at the front that lie before the offset the reader was sent to; leave them out.
    public let skippedRows: Int

    @inline(__always)
    @_lifetime(copy decoded, copy payload)
    init(_ decoded: Span<DecodedBatch>, payload: RawSpan, skippedRows: Int) {
        self.decoded = decoded
        self.payload = payload
        self.skippedRows = skippedRows
    }

    @inline(__always)
    var header: BatchHeader { decoded[0].header }
    @inline(__always)
    var layout: PayloadLayout { decoded[0].layout }
    @inline(__always)
    var decoding: ElementDecoding { decoded[0].decoding }

    /// Number of rows, `skippedRows` included.
    public var rows: Int { header.rows }
    /// Offset of the first row.
    public var baseOffset: UInt64 { header.baseOffset }
    /// The offset after the last row.
    public var endOffset: UInt64 { header.baseOffset + UInt64(header.rows) }
    /// Features or outputs a row; 0 for byte topics.
    public var columns: Int { header.columns }
    /// Elements from the start of one row to the start of the next.
    public var stride: Int { header.stride / elementType.byteCount }
    /// How features are stored; `float32` for batches without any.
    public var elementType: ElementType { header.elementType ?? .float32 }
    /// Epoch of the writer.
    public var epoch: UInt32 { header.epoch }
    /// Id of the feature specification that encoded the rows; 0 for none.
    public var specification: UInt32 { header.specification }
    /// Sequence number that the producer gave the batch.
    public var sequence: UInt64 { header.sequence }
    /// Time of the first row, nanoseconds since 1970.
    public var firstTimestamp: Int64 { header.firstTimestamp }
    /// Largest time of a row, nanoseconds since 1970.
    public var maxTimestamp: Int64 { header.maxTimestamp }
    /// Time at which the batch was appended, nanoseconds since 1970.
    public var appendedAt: Int64 { header.appendedAt }
    /// Bytes of the batch in the file.
    public var storedBytes: Int { header.batchBytes }
    /// Bytes of the payload once decoded.
    public var decodedBytes: Int { header.decodedBytes }
    /// Where the rows came from, for batches that a stage or a file source wrote.
    public var origin: BatchOrigin? { header.origin }
    /// Whether rows have labels.
    public var hasLabels: Bool { header.attributes.has(BatchAttributes.labels) }
    /// Number of source rows recorded as dropped.
    public var dropCount: Int { header.drops }

    /// The matrix, `[rows, columns]`, rows `stride` floats apart; empty without columns.
    ///
    /// Traps unless the element type is `float32`; `widen` and `withFeatures` serve every type.
    public var matrix: Span<Float> {
        @_lifetime(copy self)
        get {
            precondition(elementType == .float32, "widen a matrix of narrow elements")
            return floats(at: 0, count: header.rows * header.stride / 4)
        }
    }

    /// The matrix as it is stored, little-endian elements of `elementType`, rows `stride` apart.
    public var storedMatrix: RawSpan {
        @_lifetime(copy self)
        get { payload.extracting(0..<header.rows * header.stride) }
    }

    /// One label a row (NaN: unlabelled); empty when the batch has none.
    public var labels: Span<Float> {
        @_lifetime(copy self)
        get { floats(at: layout.labels, count: hasLabels ? header.rows : 0) }
    }

    @_lifetime(copy self)
    private func floats(at offset: Int, count: Int) -> Span<Float> {
        // Sections begin at multiples of 64 in an aligned payload, and lie inside it: reading the
        // header has checked that.
        // A section that is not there has no aligned place.
        let start = count > 0 ? offset : 0
        return payload.elements(start..<start + count * 4, as: Float.self)
    }

    /// Reason code of row `index`: 0 for a row with a result.
    ///
    /// Stages use it to say why not.
    public func mark(_ index: Int) -> UInt8 {
        precondition(index >= 0 && index < header.rows)
        guard header.attributes.has(BatchAttributes.marks) else { return 0 }
        return payload.load(layout.marks + index)
    }

    /// Source offset of row `index`, for batches with an origin.
    public func sourceOffset(_ index: Int) -> UInt64 {
        precondition(index >= 0 && index < header.rows)
        let begin = header.origin?.begin ?? header.baseOffset
        guard header.attributes.has(BatchAttributes.deltas) else { return begin + UInt64(index) }
        return begin + UInt64(payload.load(layout.deltas + index * 4, as: UInt32.self))
    }

    /// A source row that was dropped: how far after the origin's `begin`, and why.
    ///
    /// For file sources the distance is in lines after `beginLine`.
    public func drop(_ index: Int) -> (sourceDelta: UInt32, reason: UInt32) {
        precondition(index >= 0 && index < header.drops)
        let at = layout.drops + index * 8
        return (payload.load(at), payload.load(at + 4))
    }

    /// The bytes of row `index` of a byte topic.
    @_lifetime(copy self)
    public func value(_ index: Int) -> Span<UInt8> {
        precondition(index >= 0 && index < header.rows)
        precondition(header.attributes.has(BatchAttributes.values))
        let begin = index == 0 ? 0 : valueEnd(index - 1)
        return payload.elements(
            layout.valueBytes + begin..<layout.valueBytes + valueEnd(index), as: UInt8.self)
    }

    private func valueEnd(_ index: Int) -> Int {
        Int(payload.load(layout.valueEnds + index * 4, as: UInt32.self))
    }
}
