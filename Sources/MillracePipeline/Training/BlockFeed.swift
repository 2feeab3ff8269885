internal import MillraceLog
internal import MillraceModels

/// Labelled rows for one step of a trainer.
struct TrainingBlock {
    /// `[rows, width]`, without gaps.
    var features: [Float] = []
    var labels: [Float] = []
    /// Rows of the topic that the block covers, those without a label included.
    var sourceRows = 0
    /// Rows left out because their label is none of the model's classes.
    var rejected: [(partition: Int, offset: UInt64, label: Float)] = []

    mutating func clear() {
        rejected.removeAll(keepingCapacity: true)
        features.removeAll(keepingCapacity: true)
        labels.removeAll(keepingCapacity: true)
        sourceRows = 0
    }
}

/// Hands out the rows of a feature topic in the order in which a trainer visits them: blocks of
/// `blockRows` rows, partitions in turn.
///
/// The order is a function of offsets alone. A block is handed out when all of its rows are there,
/// or when it is the last of its partition and nothing more will come; never earlier, whatever
/// the timing.
final class BlockFeed {
    /// What the feed has to offer.
    enum Outcome {
        case block
        /// The partition whose turn it is has not got enough rows yet.
        case waiting
        /// Every partition has been read to its end.
        case end
    }

    private let topic: Topic
    private let width: Int
    private let blockRows: Int
    private var lanes: [FeedLane] = []
    /// The partition that comes next.
    private(set) var turn: Int

    init(
        topic: Topic, blockRows: Int, objective: Objective, offsets: [UInt64], turn: Int
    ) throws(LogError) {
        self.topic = topic
        width = topic.configuration.features
        self.blockRows = blockRows
        self.turn = turn
        for partition in 0..<topic.partitions {
            let offset = partition < offsets.count ? offsets[partition] : 0
            lanes.append(try FeedLane(topic, partition, objective, from: offset))
        }
    }

    /// The next offset of each partition: with `turn`, all there is to know to go on.
    var offsets: [UInt64] { lanes.map(\.nextOffset) }

    /// Fills `block` with the next rows.
    ///
    /// `ended` says that nothing will be added to the topic; it must have been asked before the
    /// call.
    func next(into block: inout TrainingBlock, ended: Bool) throws -> Outcome {
        block.clear()
        for _ in lanes.indices {
            let lane = lanes[turn]
            try lane.fill(to: blockRows)
            if lane.available >= blockRows || (ended && lane.available > 0) {
                lane.take(min(blockRows, lane.available), into: &block)
                turn = (turn + 1) % lanes.count
                return .block
            }
            guard ended else { return .waiting }
            turn = (turn + 1) % lanes.count
        }
        return .end
    }
}

/// Rows of one partition that have been read and not yet handed out.
private final class FeedLane {
    private var reader: PartitionReader?
    private let partition: Int
    private let objective: Objective
    private let width: Int
    private var features: [Float] = []
    private var labels: [Float] = []
    private var offsets: [UInt64] = []
    private var head = 0
    private(set) var nextOffset: UInt64

    init(
        _ topic: Topic, _ partition: Int, _ objective: Objective, from offset: UInt64
    ) throws(LogError) {
        self.partition = partition
        self.objective = objective
        width = topic.configuration.features
        var opened = try topic.reader(partition: partition)
        nextOffset = max(offset, try opened.startOffset)
        try opened.seek(to: nextOffset)
        reader = consume opened
    }

    var available: Int { labels.count - head }

    /// Reads until `count` rows are available or everything published has been read.
    func fill(to count: Int) throws {
        guard available < count, var reader = reader.take() else { return }
        compact()
        while available < count, try read(&reader) {}
        self.reader = consume reader
    }

    private func compact() {
        features.removeFirst(head * width)
        labels.removeFirst(head)
        offsets.removeFirst(head)
        head = 0
    }

    private func read(_ reader: inout PartitionReader) throws -> Bool {
        guard let batch = try reader.next() else { return false }
        let given = batch.labels
        let first = batch.skippedRows
        let base = features.count
        features.append(contentsOf: repeatElement(0, count: (batch.rows - first) * width))
        widen(batch, from: first, to: base)
        for row in first..<batch.rows {
            labels.append(batch.hasLabels ? given[row] : .nan)
            offsets.append(batch.baseOffset + UInt64(row))
        }
        return true
    }

    /// Puts the rows of a batch from `first` on behind the features read before.
    private func widen(_ batch: borrowing RecordBatch, from first: Int, to base: Int) {
        var memory: [Float] = []
        swap(&memory, &features)
        do {
            var all = memory.mutableSpan
            var target = all._mutatingExtracting(base...)
            batch.widen(rows: first..<batch.rows, into: &target)
        }
        swap(&memory, &features)
    }

    /// Moves `count` rows into the block, leaving out those without a label or with a wrong one.
    func take(_ count: Int, into block: inout TrainingBlock) {
        for row in head..<head + count where !labels[row].isNaN {
            guard objective.accepts(labels[row]) else {
                block.rejected.append((partition, offsets[row], labels[row]))
                continue
            }
            block.features.append(contentsOf: features[row * width..<(row + 1) * width])
            block.labels.append(labels[row])
        }
        block.sourceRows += count
        head += count
        nextOffset = offsets[head - 1] + 1
    }
}
