internal import MillraceLog

/// Where a row came from, for people: a line of a file, or an offset of a topic.
struct RowPlace {
    var file: String
    var line: Int

    /// The place of row `index` of a batch of `topic`.
    init(
        _ index: Int, of batch: borrowing RecordBatch, in topic: Topic, partition: Int
    ) throws(LogError) {
        file = "topic \(topic.name), partition \(partition)"
        line = Int(batch.baseOffset) + index
        guard let origin = batch.origin, let name = try topic.dictionaryText(origin.source),
            name.hasPrefix(FileSource.filePrefix)
        else { return }
        file = String(name.dropFirst(FileSource.filePrefix.count))
        line = Int(origin.beginLine) + index
        // Lines that the source left out stand between the rows.
        for skipped in 0..<batch.dropCount
        where Int(origin.beginLine) + Int(batch.drop(skipped).sourceDelta) <= line {
            line += 1
        }
    }
}
