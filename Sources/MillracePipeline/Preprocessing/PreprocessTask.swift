internal import MillraceFeatures
internal import MillraceLog

/// Encodes the rows of one partition of the log.
final class PreprocessTask: PartitionTask {
    private let source: Topic
    private let partition: Int
    private let sorter: RowSorter
    private let policy: BadRowPolicy
    private let status: StageStatus
    private let rejections: RejectionLog
    /// Told of the source offset to go on from, once everything before it is written.
    private let onProgress: (_ next: UInt64) throws -> Void
    private var reader: PartitionReader?
    /// Source rows that have their outcome.
    private(set) var rowsDone: Int

    /// Begins at source offset `start`, before which every row has its outcome.
    init(
        _ source: Topic, partition: Int, from start: UInt64, _ sorter: RowSorter,
        policy: BadRowPolicy, status: StageStatus, rejections: RejectionLog,
        onProgress: @escaping (_ next: UInt64) throws -> Void
    ) throws(LogError) {
        self.source = source
        self.partition = partition
        self.sorter = sorter
        self.policy = policy
        self.status = status
        self.rejections = rejections
        self.onProgress = onProgress
        rowsDone = Int(start - min(start, try source.startOffset(partition: partition)))
        // Rows that retention has removed since then have no outcome: an error says how many.
        reader = try source.reader(
            partition: partition, from: start, holding: source.waitsForReaders)
    }

    func step() throws -> Bool {
        guard var reader = reader.take() else { return false }
        let worked = try step(&reader)
        self.reader = consume reader
        return worked
    }

    private func step(_ reader: inout PartitionReader) throws -> Bool {
        guard let batch = try reader.next() else { return false }
        var first = batch.skippedRows
        while first < batch.rows {
            let end = min(first + sorter.blockRows, batch.rows)
            try encode(batch, first..<end)
            first = end
        }
        return true
    }

    private func encode(_ batch: borrowing RecordBatch, _ rows: Range<Int>) throws {
        let end = batch.baseOffset + UInt64(rows.upperBound)
        sorter.begin(at: batch.baseOffset + UInt64(rows.lowerBound))
        for index in rows {
            let line = batch.value(index)
            let origin = RowOrigin(
                offset: batch.baseOffset + UInt64(index), key: batch.key(index),
                timestamp: batch.timestamp(index))
            guard let rejection = try sorter.sort(line, origin) else { continue }
            try reject(batch, index, sorter.explain(rejection, line))
            sorter.drop(offset: origin.offset, reason: rejection.reason.rawValue)
        }
        try sorter.finish(at: end, epoch: batch.epoch)
        rowsDone += rows.count
        status.add(rows: rows.count)
        try onProgress(end)
    }

    /// Reports a rejected row by the file and line that it came from, or by its offset.
    private func reject(_ batch: borrowing RecordBatch, _ index: Int, _ text: String) throws {
        status.add(rejected: 1)
        let place = try RowPlace(index, of: batch, in: source, partition: partition)
        try rejections.reject(file: place.file, line: place.line, text, policy: policy)
    }

    func close() throws {
        try sorter.close()
        reader = nil
    }
}
