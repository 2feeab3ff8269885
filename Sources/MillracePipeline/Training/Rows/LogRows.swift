internal import MillraceLog

/// The rows of a feature topic of the log; positions are offsets.
struct LogRows: TrainingRows {
    let topic: Topic

    var name: String { topic.name }
    var identity: UInt64 { topic.id }
    var partitions: Int { topic.partitions }
    var features: Int { topic.configuration.features }

    func reader(of partition: Int, from position: UInt64) throws -> any RowReader {
        try LogRowReader(topic, partition, from: position)
    }
}

/// One partition of the log as a trainer reads it.
///
/// Labelled rows of float32 are lent as they were decoded, or as they are in the file.
final class LogRowReader: RowReader {
    private let topic: Topic
    private let partition: Int
    private var reader: PartitionReader
    let start: UInt64

    /// - Throws: `LogError` with `offsetOutOfRange` when rows that come next are gone, else as readers
    ///   do.
    init(_ topic: Topic, _ partition: Int, from offset: UInt64) throws(LogError) {
        self.topic = topic
        self.partition = partition
        var opened = try topic.reader(partition: partition, holding: topic.waitsForReaders)
        start = offset == 0 ? try opened.startOffset : offset
        try opened.seek(to: start)
        reader = opened
    }

    /// What is in the log can be read at once.
    var isAtEnd: Bool { true }

    func publishedEnd() throws -> UInt64 { try topic.publishedEnd(partition: partition) }

    func read(before end: UInt64?, into rows: inout RowStore) throws -> ReadRows {
        try Self.read(&reader, before: end, into: &rows)
    }

    private static func read(
        _ reader: inout PartitionReader, before end: UInt64?, into rows: inout RowStore
    ) throws -> ReadRows {
        guard let batch = try reader.next() else { return .none }
        let first = batch.skippedRows
        var last = batch.rows
        if let end { last = min(last, Int(max(end, batch.baseOffset) - batch.baseOffset)) }
        guard last > first else { return .stored }
        guard batch.hasLabels, batch.elementType == .float32 else {
            rows.append(batch, first..<last)
            return .stored
        }
        let base = batch.baseOffset
        return .lent(base + UInt64(first)..<base + UInt64(last))
    }

    func withLent(_ positions: Range<UInt64>, _ body: (borrowing RowView) -> Void) {
        Self.lend(positions, of: &reader, body)
    }

    private static func lend(
        _ positions: Range<UInt64>, of reader: inout PartitionReader,
        _ body: (borrowing RowView) -> Void
    ) {
        guard let batch = reader.last() else {
            preconditionFailure("rows are lent until others are read")
        }
        let first = Int(positions.lowerBound - batch.baseOffset)
        let last = Int(positions.upperBound - batch.baseOffset)
        let stride = batch.stride
        body(
            RowView(
                batch.matrix.extracting(first * stride..<last * stride), stride: stride,
                labels: batch.labels.extracting(first..<last), from: positions.lowerBound))
    }
}
