import MillraceSystem

@testable import MillraceLog

/// What was wrong after a loss of power, in words.
struct PowerLossFault: Error, CustomStringConvertible {
    let description: String
}

/// Says whether a log is what a loss of power at one moment of its history may leave.
struct PowerLossOracle {
    let history: LogHistory
    let shape: WorkloadShape
    /// The moment at which the power went.
    let moment: Int
    private let data: DataDirectory
    private let topics: [String: Topic]
    /// The batches that survived, as indices into what had been appended.
    private(set) var survivors: [LogPlace: Range<Int>] = [:]

    init(
        _ history: LogHistory, _ shape: WorkloadShape, at moment: Int, path: String
    ) throws {
        self.history = history
        self.shape = shape
        self.moment = moment
        data = try DataDirectory(path, create: true)
        let names = try data.topicNames()
        guard moment < history.created || names.count == (shape.hasOutputs ? 2 : 1) else {
            throw PowerLossFault(description: "a topic is gone")
        }
        var topics = ["rows": try data.topic("rows", creating: shape.rows)]
        if shape.hasOutputs {
            topics["outputs"] = try data.topic("outputs", creating: shape.outputs)
        }
        self.topics = topics
    }

    var places: [LogPlace] {
        (0..<shape.partitions).map { .rows($0) } + (shape.hasOutputs ? [.outputs] : [])
    }

    private func require(_ holds: Bool, _ message: @autoclosure () -> String) throws {
        guard holds else { throw PowerLossFault(description: message()) }
    }

    func topic(_ place: LogPlace) throws -> Topic {
        guard let topic = topics[place.topic] else {
            throw PowerLossFault(description: "no topic \(place.topic)")
        }
        return topic
    }

    /// Checks everything; opens the partitions in an order that follows from `seed`, by readers or
    /// writers.
    mutating func check(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for place in places.shuffled(using: &random) {
            if random.next() % 2 == 0 {
                _ = try topic(place).writer(partition: place.partition)
            }
            let seen = try Self.read(topic(place), place.partition)
            survivors[place] = try match(seen, place)
        }
        for place in places { try checkEnd(place) }
        if shape.hasOutputs { try checkOrigins() }
        for entry in history.texts where entry.durable <= moment {
            try require(
                try topic(.rows(0)).dictionaryText(entry.id) == entry.text,
                "dictionary id \(entry.id) does not resolve")
        }
        for place in places { try checkLookups(place, &random) }
        if random.next() % 8 == 0 { try checkFiles() }
    }

    // MARK: Batches

    /// A batch as a reader sees it.
    struct Seen: Equatable {
        var baseOffset: UInt64
        var rows: Int
        var checksum: UInt32
        var sequence: UInt64
        var timestamp: Int64
        var origin: BatchOrigin?
    }

    /// All batches with rows.
    static func read(_ topic: Topic, _ partition: Int) throws(LogError) -> [Seen] {
        var reader = try topic.reader(partition: partition)
        var seen: [Seen] = []
        while let batch = try reader.next() {
            if batch.rows == 0 { continue }
            var checksum: UInt32 = 0
            for row in 0..<batch.rows {
                checksum = CRC32C.checksum(of: batch.value(row), seed: checksum)
            }
            seen.append(
                Seen(
                    baseOffset: batch.baseOffset, rows: batch.rows, checksum: checksum,
                    sequence: batch.sequence, timestamp: batch.firstTimestamp,
                    origin: batch.origin))
        }
        return seen
    }

    /// Batches that had been begun.
    private func known(_ place: LogPlace) -> ArraySlice<AppendedBatch> {
        history[place].batches.prefix { $0.begun < moment }
    }

    /// Whether this is what was appended.
    static func matches(_ seen: Seen, _ batch: AppendedBatch) -> Bool {
        seen.baseOffset == batch.baseOffset && seen.rows == batch.content.rows
            && seen.checksum == batch.content.checksum && seen.sequence == batch.sequence
            && seen.timestamp == batch.timestamp
            && seen.origin?.begin == batch.origin?.begin && seen.origin?.end == batch.origin?.end
    }

    /// Which of the batches are there: all that were durable, and none behind one that is lost.
    private func match(_ seen: [Seen], _ place: LogPlace) throws -> Range<Int> {
        let known = known(place)
        let start = try topic(place).files(place.partition).openControl(writable: false)
            .startOffsetValue()
        let mayStart = history[place].start(at: moment)
        try require(start <= mayStart, "\(place): begins at \(start), \(mayStart) is kept")
        let removed = known.prefix { $0.endOffset <= start }.count
        let durable = known.lastIndex { $0.durable <= moment }.map { $0 + 1 } ?? 0
        guard let first = seen.first else {
            try require(
                durable <= removed, "\(place): durable batches \(removed) ..< \(durable) are lost")
            return removed..<removed
        }
        guard let index = known.firstIndex(where: { $0.baseOffset == first.baseOffset }) else {
            throw PowerLossFault(description: "\(place): begins with offset \(first.baseOffset)")
        }
        try require(
            index <= removed, "\(place): begins with batch \(index), \(removed) are removed")
        for (number, batch) in seen.enumerated() {
            try require(
                index + number < known.count && Self.matches(batch, known[index + number]),
                "\(place): batch \(index + number) is \(batch), expected "
                    + (index + number < known.count ? "\(known[index + number])" : "none"))
        }
        try require(
            index + seen.count >= durable,
            "\(place): \(index + seen.count) batches, \(durable) were durable")
        return index..<index + seen.count
    }

    /// No offset that anybody may have seen is given away again.
    private func checkEnd(_ place: LogPlace) throws {
        let promised = known(place).filter { $0.appended <= moment }.map(\.endOffset).max() ?? 0
        let floor = max(promised, history[place].floor)
        let end = try topic(place).endOffset(partition: place.partition)
        try require(end >= floor, "\(place): goes on at \(end), \(floor) was promised")
    }

    /// Output is there only with the rows that it was made from.
    private func checkOrigins() throws {
        let outputs = history[.outputs].batches[survivors[.outputs] ?? 0..<0]
        for batch in outputs {
            guard let origin = batch.origin else { continue }
            let source = LogPlace.rows(origin.partition)
            let kept = survivors[source] ?? 0..<0
            let end = history[source].batches[..<kept.upperBound].last?.endOffset ?? 0
            try require(
                origin.end <= end || origin.end <= history[source].start(at: moment),
                "outputs at \(batch.baseOffset) were made from \(source) \(origin.begin) ..< "
                    + "\(origin.end), of which \(end) is left")
        }
    }

    // MARK: Other ways to the rows

    private func checkLookups(_ place: LogPlace, _ random: inout SplitMix64) throws {
        let batches = history[place].batches[survivors[place] ?? 0..<0]
        guard let batch = batches.randomElement(using: &random) else { return }
        let offset = UInt64.random(in: batch.baseOffset..<batch.endOffset, using: &random)
        let topic = try topic(place)
        var reader = try topic.reader(partition: place.partition, from: offset)
        let found = try reader.next()?.baseOffset
        try require(
            found == batch.baseOffset,
            "\(place): offset \(offset) is sought at \(found.map { "\($0)" } ?? "no batch")")
        // Of a batch that was sent again the time is older than that of the one before it.
        let first = batches.first { $0.timestamp >= batch.timestamp }
        let byTime = try topic.offset(partition: place.partition, atOrAfter: batch.timestamp)
        try require(
            byTime == first?.baseOffset,
            "\(place): time \(batch.timestamp) is at \(byTime.map { "\($0)" } ?? "no offset")")
    }

    private func checkFiles() throws {
        for name in topics.keys.sorted() {
            let found = try data.verifyTopic(name)
            // Indexes are never synced.
            let faults = found.faults.filter { $0.effect != .derived }
            try require(faults.isEmpty, "verify: \(faults)")
        }
    }

    // MARK: Producers

    /// Each producer sends its last batch again: it is there once afterwards.
    ///
    /// Returns the history of the log as it is now, of which everything is durable at `moment`.
    func retry(at now: () -> Int) throws -> LogHistory {
        var next = LogHistory()
        next.created = history.created <= moment ? 0 : now()
        next.texts = history.texts.filter { $0.durable <= moment }
            .map { (id: $0.id, text: $0.text, durable: 0) }
        for place in places {
            let kept = survivors[place] ?? 0..<0
            var old = PartitionHistory()
            old.floor = try topic(place).endOffset(partition: place.partition)
            old.starts = [(-1, history[place].start(at: moment))]
            for batch in history[place].batches[..<kept.upperBound] {
                var batch = batch
                batch.durable = batch.durable <= moment ? 0 : now()
                batch.begun = -1
                batch.appended = 0
                old.batches.append(batch)
            }
            next[place] = old
            for producer in Set(known(place).map(\.producer)).sorted() where producer > 0 {
                try retry(producer, place, &next[place], now)
            }
        }
        return next
    }

    private func retry(
        _ producer: Int, _ place: LogPlace, _ next: inout PartitionHistory, _ now: () -> Int
    ) throws {
        let known = known(place)
        guard var batch = known.last(where: { $0.producer == producer }) else { return }
        let kept = survivors[place] ?? 0..<0
        let left = history[place].lastSequence(of: producer, in: kept.upperBound)
        var writer = try topic(place).writer(
            partition: place.partition, producer: LogWorkload.name(of: producer))
        try require(
            writer.lastSequence == left,
            "\(place): producer \(producer) stands at \(writer.lastSequence ?? 0), not \(left ?? 0)"
        )
        let isLost = (writer.lastSequence ?? 0) < batch.sequence
        var builder = BatchBuilder()
        batch.content.fill(&builder)
        builder.sequence = batch.sequence
        builder.timestamp = batch.timestamp
        let begun = now()
        let receipt = try writer.append(&builder, acknowledgement: .durable)
        try require(
            receipt.isDuplicate == !isLost,
            "\(place): sequence \(batch.sequence) of producer \(producer) gave \(receipt)")
        guard isLost, let base = receipt.baseOffset else { return }
        try require(base >= next.floor, "\(place): offset \(base) below \(next.floor)")
        batch = AppendedBatch(
            content: batch.content, producer: producer, sequence: batch.sequence,
            timestamp: batch.timestamp, baseOffset: base, begun: begun, appended: now(),
            durable: now())
        next.batches.append(batch)
    }
}
