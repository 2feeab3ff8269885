public import MillraceLog

/// Rows of one batch, copied out of the log: to be kept and passed on.
public struct ConsumedBatch: Sendable, Equatable {
    /// Where the rows were read.
    public let partition: TopicPartition
    /// The core whose consumer read them.
    public let core: Int
    /// Offset of the first row.
    public let baseOffset: UInt64
    /// Number of rows.
    public let rows: Int
    /// Features or outputs a row; 0 for topics of bytes.
    public let columns: Int
    /// Features or outputs, `[rows, columns]`, row-major, without gaps; empty for topics of bytes.
    public let features: [Float]
    /// One label a row (NaN: unlabelled); empty when the batch has none.
    public let labels: [Float]
    /// One value a row; empty but for topics of bytes.
    public let values: [[UInt8]]
    /// One key a row, nil for a row without; empty when no row has one.
    public let keys: [[UInt8]?]
    /// Time of each row, nanoseconds since 1970.
    public let timestamps: [Int64]

    /// The offset after the last row.
    public var endOffset: UInt64 { baseOffset + UInt64(rows) }

    /// Copies the rows of a batch that were not consumed before.
    ///
    /// - Complexity: O(bytes), and an allocation for each value and key.
    public init(_ batch: borrowing RecordBatch, of partition: TopicPartition, core: Int) {
        let range = batch.skippedRows..<batch.rows
        self.partition = partition
        self.core = core
        baseOffset = batch.baseOffset + UInt64(range.lowerBound)
        rows = range.count
        columns = batch.columns
        var features = [Float](repeating: 0, count: range.count * batch.columns)
        var target = features.mutableSpan
        batch.widen(rows: range, into: &target)
        self.features = features
        let labels = batch.labels
        self.labels = batch.hasLabels ? range.map { labels[$0] } : []
        var values: [[UInt8]] = []
        var keys: [[UInt8]?] = []
        var timestamps: [Int64] = []
        for row in range {
            if batch.columns == 0 { values.append(Self.bytes(batch.value(row))) }
            if batch.hasKeys {
                if let key = batch.key(row) {
                    keys.append(Self.bytes(key))
                } else {
                    keys.append(nil)
                }
            }
            timestamps.append(batch.timestamp(row))
        }
        self.values = values
        self.keys = keys
        self.timestamps = timestamps
    }

    private static func bytes(_ span: Span<UInt8>) -> [UInt8] { span.indices.map { span[$0] } }
}
