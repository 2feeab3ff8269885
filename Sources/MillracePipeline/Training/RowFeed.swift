internal import MillraceLog
internal import MillraceModels

/// The rows of one partition in the order of their offsets, and nothing else.
final class RowFeed {
    private let topic: Topic
    private let partition: Int
    private let objective: Objective
    private let holdOut: HoldOut?
    private var reader: PartitionReader?
    private var store: RowStore
    /// The offset of the row that comes next.
    private(set) var nextOffset: UInt64
    /// The offset before which the rows end, once that is decided; rows behind it are not read.
    private(set) var end: UInt64?
    /// Whether every row before the end has been read.
    private var hasReadAll = false

    /// The rows from an offset on; from 0 on, those that are there.
    ///
    /// - Throws: `LogError` with `offsetOutOfRange` when rows that come next are gone, else as readers
    ///   do.
    init(
        _ topic: Topic, _ partition: Int, _ objective: Objective, holdOut: HoldOut?,
        from offset: UInt64, end: UInt64?
    ) throws(LogError) {
        self.topic = topic
        self.partition = partition
        self.objective = objective
        self.holdOut = holdOut
        self.end = end
        store = RowStore(width: topic.configuration.features)
        var opened = try topic.reader(partition: partition, holding: topic.waitsForReaders)
        nextOffset = offset == 0 ? try opened.startOffset : offset
        try opened.seek(to: nextOffset)
        reader = consume opened
    }

    private var available: Int { store.count }

    /// Whether `count` rows can be taken now, or all that will ever be there.
    ///
    /// When `ended`, nothing will be added to the topic; it must have been asked before the call.
    /// That the rows end is then decided, and stays so.
    func fill(to count: Int, ended: Bool) throws -> Bool {
        try read(to: count)
        if available >= count || end != nil { return true }
        guard ended else { return false }
        end = readEnd
        hasReadAll = true
        return true
    }

    /// Decides that the rows end where the partition ends now, unless that was decided before.
    func decideEnd() throws(LogError) {
        if end == nil { end = max(try topic.publishedEnd(partition: partition), readEnd) }
    }

    /// Whether rows were appended behind the end that was decided.
    var hasGrown: Bool {
        get throws(LogError) {
            guard let end else { return false }
            return try topic.publishedEnd(partition: partition) > end
        }
    }

    /// The offset behind the last row that was read.
    private var readEnd: UInt64 { store.end ?? nextOffset }

    /// Whether the rows end and all of them have been taken.
    var isExhausted: Bool {
        guard let end, available == 0 else { return false }
        return hasReadAll || nextOffset >= end
    }

    private func read(to count: Int) throws {
        guard available < count, var reader = reader.take() else { return }
        store.compact()
        while available < count, try readBatch(&reader) {}
        self.reader = consume reader
    }

    private func readBatch(_ reader: inout PartitionReader) throws -> Bool {
        if let end, readEnd >= end { return false }
        guard let batch = try reader.next() else {
            // Offsets that a crash made unusable may lie before the end.
            hasReadAll = end != nil
            return false
        }
        let first = batch.skippedRows
        var last = batch.rows
        if let end { last = min(last, Int(max(end, batch.baseOffset) - batch.baseOffset)) }
        guard last > first else { return true }
        store.append(batch, first..<last)
        return true
    }

    /// Moves up to `count` rows into the block, each where it belongs.
    func take(_ count: Int, into block: inout RowBlock) {
        block.clear()
        let taken = min(count, available)
        guard taken > 0 else { return }
        nextOffset = store.take(taken, objective, holdOut, into: &block)
    }
}
