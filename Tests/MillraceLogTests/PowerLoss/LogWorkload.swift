import MillraceSystem

@testable import MillraceLog

/// What kind of log a workload makes.
struct WorkloadShape: Sendable, CustomStringConvertible {
    let partitions: Int
    let hasOutputs: Bool
    let writers: Int
    let modes: [AppendMode]
    let rows: TopicConfiguration
    let outputs: TopicConfiguration

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        func chance(_ percent: UInt64) -> Bool { random.next() % 100 < percent }
        partitions = chance(30) ? 2 : 1
        hasOutputs = chance(50)
        writers = chance(50) ? 2 : 1
        modes = [chance(50) ? .write : .mapped, chance(50) ? .write : .mapped]
        // Not by age: whoever opens a writer removes what has expired, and an oracle that opens one
        // could not tell rows that expired from rows that were lost.
        let retention =
            chance(30)
            ? RetentionPolicy(bytes: 70_000 + Int(random.next() % 60_000))
            : .keep
        rows = TopicConfiguration(
            partitions: partitions, kind: .bytes, codec: chance(50) ? .lz4 : .none,
            segmentBytes: 1 << 16, flush: chance(25) ? .batch : .none, retention: retention)
        outputs = TopicConfiguration(
            kind: .bytes, codec: chance(50) ? .lz4 : .none, segmentBytes: 1 << 16,
            flush: chance(25) ? .batch : .none)
    }

    var description: String {
        "\(partitions) partitions of \(rows.codec), flush \(rows.flush), \(rows.retention), "
            + "\(writers) writers, \(modes), outputs \(hasOutputs ? "\(outputs.flush)" : "none")"
    }
}

/// Does things to a log, in an order that follows from a seed, and notes what it was promised.
///
/// A flush of a partition that nobody asked for, as that of an interval, is one of them.
final class LogWorkload {
    let shape: WorkloadShape
    private(set) var history: LogHistory
    private let moment: () -> Int
    private var random: SplitMix64
    private let data: DataDirectory
    private let rows: Topic
    private let outputs: Topic?
    private var writers: [LogPlace: [WriterBox]] = [:]
    private var clock: Int64
    private var nextSequence: [UInt64]
    /// Where the stage that makes outputs goes on, by partition.
    private var consumed: [UInt64]

    /// A writer that may be closed or lost; producers count from 1, 0 has no name.
    private final class WriterBox {
        let producer: Int
        let mode: AppendMode
        var writer: PartitionWriter?

        init(producer: Int, mode: AppendMode) {
            self.producer = producer
            self.mode = mode
        }
    }

    static func name(of producer: Int) -> String? { producer == 0 ? nil : "producer-\(producer)" }

    /// Opens the topics, making them when they are not there.
    ///
    /// `moment` tells how far the disk's record is.
    init(
        _ shape: WorkloadShape, seed: UInt64, at path: String, after history: LogHistory,
        moment: @escaping () -> Int
    ) throws(LogError) {
        self.shape = shape
        self.history = history
        self.moment = moment
        random = SplitMix64(seed: seed)
        data = try DataDirectory(path, create: true)
        rows = try data.topic("rows", creating: shape.rows)
        outputs =
            shape.hasOutputs ? try data.topic("outputs", creating: shape.outputs) : nil
        let batches = history.partitions.values.flatMap(\.batches)
        clock = batches.map(\.timestamp).max() ?? 0
        nextSequence = (0...4).map { producer in
            (batches.filter { $0.producer == producer }.map(\.sequence).max() ?? 0) + 1
        }
        consumed = (0..<shape.partitions).map { partition in
            batches.compactMap(\.origin).filter { $0.partition == partition }.map(\.end).max() ?? 0
        }
        self.history.created = min(history.created, moment())
        for partition in 0..<shape.partitions {
            writers[.rows(partition)] = (0..<shape.writers).map { index in
                let isNamed = random.next() % 3 == 0
                return WriterBox(
                    producer: isNamed ? 1 + partition * 2 + index : 0, mode: shape.modes[index])
            }
        }
        writers[.outputs] = [WriterBox(producer: 0, mode: shape.modes[0])]
    }

    private func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }

    /// Does `count` things.
    func run(steps count: Int) throws(LogError) {
        for _ in 0..<count {
            let place = LogPlace.rows(below(shape.partitions))
            let index = below(shape.writers)
            switch below(20) {
            case 0..<9: try append(place, index)
            case 9..<13: try derive()
            case 13: try flush(place, index)
            case 14: try flushAll(place)
            case 15: try retry(place, index)
            case 16: try close(below(3) == 0 ? .outputs : place, index)
            case 17: lose(below(3) == 0 ? .outputs : place, index)
            case 18: try name()
            default: try retain(place, index)
            }
        }
    }

    // MARK: Steps

    private func box(_ place: LogPlace, _ index: Int) throws(LogError) -> WriterBox {
        let boxes = writers[place] ?? []
        let box = boxes[index % boxes.count]
        if box.writer == nil {
            let topic = place == .outputs ? outputs ?? rows : rows
            box.writer = try topic.writer(
                partition: place.partition, producer: Self.name(of: box.producer), mode: box.mode)
        }
        return box
    }

    private func append(_ place: LogPlace, _ index: Int) throws(LogError) {
        let box = try box(place, index)
        var batch = newBatch()
        if box.producer > 0 {
            batch.producer = box.producer
            batch.sequence = nextSequence[box.producer]
            nextSequence[box.producer] += 1
        }
        try append(batch, place, box)
    }

    private func newBatch() -> AppendedBatch {
        clock += 1000
        let large = below(4) == 0
        let content = BatchContent(
            seed: random.next(), rows: 1 + below(5), rowWords: 1 + below(large ? 600 : 60))
        return AppendedBatch(content: content, timestamp: clock, begun: moment())
    }

    private func append(
        _ batch: AppendedBatch, _ place: LogPlace, _ box: WriterBox
    ) throws(LogError) {
        var batch = batch
        var builder = BatchBuilder()
        batch.content.fill(&builder)
        builder.sequence = batch.sequence
        builder.timestamp = batch.timestamp
        builder.origin = try batch.origin.map { (range) throws(LogError) in try origin(range) }
        let flush = place == .outputs ? shape.outputs.flush : shape.rows.flush
        let isDurable = flush == .batch || below(8) == 0
        let receipt = try box.writer?.append(
            &builder, acknowledgement: isDurable ? .durable : nil)
        guard let receipt, let base = receipt.baseOffset, !receipt.isDuplicate else {
            throw LogError(.system, "\(place): sequence \(batch.sequence) is no duplicate")
        }
        batch.baseOffset = base
        batch.appended = moment()
        history[place].batches.append(batch)
        if isDurable { history[place].makeDurable(below: batch.endOffset, at: moment()) }
        try noteStart(place, since: batch.begun)
    }

    private func noteStart(_ place: LogPlace, since begun: Int) throws(LogError) {
        guard shape.rows.retention.isActive, place != .outputs else { return }
        let start = try rows.startOffset(partition: place.partition)
        history[place].starts.append((begun, start))
        history[place].makeDurable(below: start, at: moment())
    }

    private func origin(_ range: SourceRange) throws(LogError) -> BatchOrigin {
        var origin = BatchOrigin()
        guard let outputs else { return origin }
        origin.source = try outputs.dictionaryID(of: rows.reference)
        origin.group = try outputs.dictionaryID(of: "group")
        origin.sourcePartition = UInt32(range.partition)
        origin.begin = range.begin
        origin.end = range.end
        return origin
    }

    /// Makes a batch of what was appended to a partition of rows since the last time.
    private func derive() throws(LogError) {
        guard outputs != nil else { return try append(.rows(0), 0) }
        let partition = below(shape.partitions)
        let end = history[.rows(partition)].batches.last?.endOffset ?? 0
        guard end > consumed[partition] else { return }
        var batch = newBatch()
        batch.origin = SourceRange(partition: partition, begin: consumed[partition], end: end)
        consumed[partition] = end
        try append(batch, .outputs, box(.outputs, 0))
    }

    private func flush(_ place: LogPlace, _ index: Int) throws(LogError) {
        let box = try box(place, index)
        try box.writer?.flush()
        if let seen = box.writer?.nextOffset { made(durable: seen, place) }
    }

    private func made(durable offset: UInt64, _ place: LogPlace) {
        history[place].makeDurable(below: offset, at: moment())
    }

    private func flushAll(_ place: LogPlace) throws(LogError) {
        try rows.flush(partition: place.partition)
        made(durable: .max, place)
        guard below(2) == 0, let outputs else { return }
        try outputs.flush(partition: 0)
        made(durable: .max, .outputs)
    }

    /// A named producer does not know whether its last batch was appended.
    private func retry(_ place: LogPlace, _ index: Int) throws(LogError) {
        let box = try box(place, index)
        guard box.producer > 0,
            let last = history[place].batches.last(where: { $0.producer == box.producer })
        else { return }
        var builder = BatchBuilder()
        last.content.fill(&builder)
        builder.sequence = last.sequence
        let receipt = try box.writer?.append(&builder)
        // Retention may have removed the rows.
        guard receipt?.isDuplicate == true,
            receipt?.baseOffset ?? last.baseOffset == last.baseOffset
        else {
            throw LogError(.system, "\(place): sequence \(last.sequence) is a duplicate")
        }
    }

    private func close(_ place: LogPlace, _ index: Int) throws(LogError) {
        guard place != .outputs || outputs != nil else { return }
        let box = try box(place, index)
        guard let writer = box.writer.take() else { return }
        let seen = writer.nextOffset
        try writer.close()
        made(durable: seen, place)
    }

    /// The writer's process dies.
    private func lose(_ place: LogPlace, _ index: Int) {
        guard let boxes = writers[place] else { return }
        boxes[index % boxes.count].writer = nil
    }

    /// Gives a number to a text of any length.
    private func name() throws(LogError) {
        let text = String(repeating: "n", count: 1 + below(600)) + "\(random.next())"
        let id = try rows.dictionaryID(of: text)
        history.texts.append((id, text, moment()))
    }

    private func retain(_ place: LogPlace, _ index: Int) throws(LogError) {
        guard shape.rows.retention.isActive, below(2) == 0 else { return try append(place, index) }
        // Everything is old now.
        PinnedThread.sleep(nanoseconds: 2_000_000)
        let begun = moment()
        let box = try box(place, index)
        try box.writer?.applyRetention()
        try noteStart(place, since: begun)
    }
}
