internal import MillraceCompute
internal import MillraceLog
internal import MillraceModels

/// Rows of one partition, sorted by what becomes of them.
struct RowBlock {
    /// Labelled rows to learn from, `[rows, width]` without gaps.
    var features: [Float] = []
    var labels: [Float] = []
    /// Labelled rows that are held out.
    var heldFeatures: [Float] = []
    var heldLabels: [Float] = []
    /// Rows of the topic that the block covers, those without a label included.
    var sourceRows = 0
    /// Rows left out because they cannot be learnt from, and why.
    var rejected: [(offset: UInt64, reason: String)] = []

    mutating func clear() {
        features.removeAll(keepingCapacity: true)
        labels.removeAll(keepingCapacity: true)
        heldFeatures.removeAll(keepingCapacity: true)
        heldLabels.removeAll(keepingCapacity: true)
        sourceRows = 0
        rejected.removeAll(keepingCapacity: true)
    }
}

/// The rows of one partition in the order of their offsets, and nothing else.
final class RowFeed {
    private let topic: Topic
    private let partition: Int
    private let objective: Objective
    private let holdOut: HoldOut?
    private let width: Int
    private var reader: PartitionReader?
    private var features: [Float] = []
    private var labels: [Float] = []
    private var offsets: [UInt64] = []
    private var head = 0
    /// Whether a row among those read may have an infinite feature.
    private var mayHaveInfinity = false
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
        width = topic.configuration.features
        var opened = try topic.reader(partition: partition, holding: topic.waitsForReaders)
        nextOffset = offset == 0 ? try opened.startOffset : offset
        try opened.seek(to: nextOffset)
        reader = consume opened
    }

    private var available: Int { labels.count - head }

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
    private var readEnd: UInt64 { offsets.last.map { $0 + 1 } ?? nextOffset }

    /// Whether the rows end and all of them have been taken.
    var isExhausted: Bool {
        guard let end, available == 0 else { return false }
        return hasReadAll || nextOffset >= end
    }

    private func read(to count: Int) throws {
        guard available < count, var reader = reader.take() else { return }
        compact()
        while available < count, try readBatch(&reader) {}
        self.reader = consume reader
    }

    private func compact() {
        features.removeFirst(head * width)
        labels.removeFirst(head)
        offsets.removeFirst(head)
        head = 0
        if labels.isEmpty { mayHaveInfinity = false }
    }

    private func readBatch(_ reader: inout PartitionReader) throws -> Bool {
        if let end, readEnd >= end { return false }
        guard let batch = try reader.next() else {
            // Offsets that a crash made unusable may lie before the end.
            hasReadAll = end != nil
            return false
        }
        let given = batch.labels
        let first = batch.skippedRows
        var last = batch.rows
        if let end { last = min(last, Int(max(end, batch.baseOffset) - batch.baseOffset)) }
        guard last > first else { return true }
        let base = features.count
        features.append(contentsOf: repeatElement(0, count: (last - first) * width))
        widen(batch, first..<last, to: base)
        let added = base..<features.count
        if FloatScan.hasInfinity(features.span.extracting(added)) { mayHaveInfinity = true }
        for row in first..<last {
            labels.append(batch.hasLabels ? given[row] : .nan)
            offsets.append(batch.baseOffset + UInt64(row))
        }
        return true
    }

    /// Puts rows of a batch behind the features read before.
    private func widen(_ batch: borrowing RecordBatch, _ rows: Range<Int>, to base: Int) {
        var memory: [Float] = []
        swap(&memory, &features)
        do {
            var all = memory.mutableSpan
            var target = all._mutatingExtracting(base...)
            batch.widen(rows: rows, into: &target)
        }
        swap(&memory, &features)
    }

    /// Moves up to `count` rows into the block, each where it belongs.
    func take(_ count: Int, into block: inout RowBlock) {
        block.clear()
        let taken = min(count, available)
        guard taken > 0 else { return }
        // Rows to learn from that stand side by side go together.
        var begin = head
        for row in head..<head + taken where !isLearnt(row, &block) {
            learn(begin..<row, &block)
            begin = row + 1
        }
        learn(begin..<head + taken, &block)
        block.sourceRows = taken
        head += taken
        nextOffset = offsets[head - 1] + 1
    }

    private func learn(_ rows: Range<Int>, _ block: inout RowBlock) {
        guard !rows.isEmpty else { return }
        block.features.append(
            contentsOf: features[rows.lowerBound * width..<rows.upperBound * width])
        block.labels.append(contentsOf: labels[rows])
    }

    /// Whether a row is learnt from; where it is held out or rejected, puts it where it belongs.
    private func isLearnt(_ row: Int, _ block: inout RowBlock) -> Bool {
        let label = labels[row]
        guard !label.isNaN else { return false }
        guard objective.accepts(label) else {
            block.rejected.append(
                (offsets[row], "label \(label) is none that the model can have"))
            return false
        }
        let cells = row * width..<(row + 1) * width
        if mayHaveInfinity, FloatScan.hasInfinity(features.span.extracting(cells)) {
            block.rejected.append((offsets[row], "a feature is infinite"))
            return false
        }
        guard let holdOut, holdOut.contains(offsets[row]) else { return true }
        block.heldFeatures.append(contentsOf: features[cells])
        block.heldLabels.append(label)
        return false
    }
}
