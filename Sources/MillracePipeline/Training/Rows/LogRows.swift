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
final class LogRowReader: RowReader {
    private let topic: Topic
    private let partition: Int
    private var reader: PartitionReader?
    let start: UInt64

    /// - Throws: `LogError` with `offsetOutOfRange` when rows that come next are gone, else as readers
    ///   do.
    init(_ topic: Topic, _ partition: Int, from offset: UInt64) throws(LogError) {
        self.topic = topic
        self.partition = partition
        var opened = try topic.reader(partition: partition, holding: topic.waitsForReaders)
        start = offset == 0 ? try opened.startOffset : offset
        try opened.seek(to: start)
        reader = consume opened
    }

    /// What is in the log can be read at once.
    var isAtEnd: Bool { true }

    func publishedEnd() throws -> UInt64 { try topic.publishedEnd(partition: partition) }

    func read(before end: UInt64?, into rows: inout RowStore) throws -> Bool {
        guard var reader = reader.take() else { return false }
        let found = try Self.read(&reader, before: end, into: &rows)
        self.reader = consume reader
        return found
    }

    private static func read(
        _ reader: inout PartitionReader, before end: UInt64?, into rows: inout RowStore
    ) throws -> Bool {
        guard let batch = try reader.next() else { return false }
        let first = batch.skippedRows
        var last = batch.rows
        if let end { last = min(last, Int(max(end, batch.baseOffset) - batch.baseOffset)) }
        if last > first { rows.append(batch, first..<last) }
        return true
    }
}
