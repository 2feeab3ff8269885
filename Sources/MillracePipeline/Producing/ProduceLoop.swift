internal import MillraceGroups
internal import MillraceInput
internal import MillraceLog
internal import MillraceSystem

/// Reads an input to its end and appends its rows.
struct ProduceLoop: ~Copyable {
    /// How long rows that have been read wait for more.
    private static let lingerMilliseconds = 20
    /// How often a stop is looked for while there is nothing to read.
    static let idleMilliseconds = 100
    /// How often `interval` brings everything to the disk.
    private static let flushNanoseconds: Int64 = 1_000_000_000

    private let topic: Topic
    private let options: ProduceOptions
    private let stop: StopFlag
    private let status: ProduceStatus
    /// The input as errors name it.
    private let file: String
    private var reader: LineReader
    private let decoder: any RowDecoder
    private let lanes: [ProducerLane]
    /// The spread that is to be written before the first row; nil once it is.
    private var unsettledSpread: InputSpread?
    private var partitioner: Partitioner
    private var row: DecodedRow
    private let holdsBytes: Bool
    /// In the blocks before this one, the named producer's rows are all there.
    private let resumedBlock: Int
    private var block = 0
    private var blockLines = 0
    private var blockBytes = 0
    /// Where what waits to be appended begins and ends.
    private var place = InputPlace()
    private var rowsAlreadyThere = 0
    /// Rows that wait to be appended.
    private var waitingRows = 0
    private var flushed = Clock.monotonicNanoseconds()
    /// Whether anything was appended since then.
    private var needsFlush = false

    init(
        topic: Topic, options: ProduceOptions, stop: StopFlag, status: ProduceStatus
    ) throws(PipelineError) {
        let configuration = topic.configuration
        let file = options.path == "-" ? "standard input" : options.path
        var reader = try Self.open(options, configuration)
        let decoder = try Self.decoder(&reader, topic, options, file, stop)
        let kind = options.partitioner ?? (options.key == nil ? .sticky : .hash)
        let spread = try Self.spread(of: topic, options, kind)
        let lanes = try Self.lanes(
            of: topic, options, partitions: spread?.partitions ?? topic.partitions)
        self.topic = topic
        self.options = options
        self.stop = stop
        self.status = status
        self.file = file
        self.reader = reader
        self.decoder = decoder
        self.lanes = lanes
        unsettledSpread = spread
        holdsBytes = configuration.kind == .bytes
        row = DecodedRow(features: [Float](repeating: 0, count: configuration.features))
        partitioner = Partitioner(kind, partitionCount: lanes.count)
        resumedBlock = lanes.map(\.tail.block).max() ?? -1
    }

    // MARK: Reading

    /// Reads to the end, to a row that cannot be read, or until stopped.
    mutating func run() throws(PipelineError) {
        place.begin = 0
        while !stop.isSet {
            let patience = waitingRows > 0 ? Self.lingerMilliseconds : Self.idleMilliseconds
            let isReady = try input { (reader) throws(InputError) in
                try reader.isReady(withinMilliseconds: patience)
            }
            guard isReady else {
                try append()
                continue
            }
            guard let line = try input({ (reader) throws(InputError) in try reader.next() }) else {
                try append()
                try requireVerified()
                return try close()
            }
            try take(line)
            if blockLines == TopicProducer.blockLines || blockBytes >= TopicProducer.blockBytes {
                try append()
                nextBlock()
            }
        }
        try append()
        try close()
        throw PipelineError(
            .interrupted, "stopped behind line \(place.endLine - 1) of \(file); \(said)",
            advice: options.producer == nil ? nil : "Run the same command again to go on.")
    }

    /// Lines, or rows of records, as the user counts them.
    private mutating func take(_ line: InputLine) throws(PipelineError) {
        let index = blockLines
        let isDone = block < resumedBlock
        if !isDone, !line.isTooLong, reader.text.isEmpty, !decoder.takesEmptyLines {
            return try advance(over: line)
        }
        if isDone {
            // Nothing of it is looked at but what moves the partitioner on.
            if !reader.text.isEmpty || decoder.takesEmptyLines || line.isTooLong {
                rowsAlreadyThere += 1
                if partitioner.kind == .roundRobin { _ = partitioner.partition() }
            }
            return try advance(over: line)
        }
        if line.isTooLong {
            try fail(line, 1, "a line of more than \(TopicProducer.maxLineBytes) bytes")
        }
        row.forget()
        do throws(RowFault) { try decoder.decode(reader.text, into: &row) } catch {
            try fail(line, error.column, error.message)
        }
        let lane = lanes[choosePartition()]
        if lane.has(block: block, line: index) {
            rowsAlreadyThere += 1
        } else {
            holdsBytes ? lane.add(reader.text, row) : lane.add(row)
            waitingRows += 1
        }
        try advance(over: line)
    }

    private mutating func choosePartition() -> Int {
        guard row.hasKey else { return partitioner.partition() }
        var partitioner = partitioner
        defer { self.partitioner = partitioner }
        return partitioner.partition(forKey: row.key.span)
    }

    /// Counts a line that has been dealt with.
    private mutating func advance(over line: InputLine) throws(PipelineError) {
        if place.beginLine == 0 { place.beginLine = line.number }
        blockLines += 1
        blockBytes += line.byteCount
        place.end = line.end
        place.endLine = line.number + 1
        // Now: should the next line be none, the reader has moved on.
        if options.producer != nil { place.checksum = reader.runningChecksum() }
        guard block <= resumedBlock else { return }
        for lane in lanes where !lane.tail.isVerified && lane.tail.block == block {
            let tail = lane.tail
            // A last line without a newline may have been given one since.
            let isCompleted = tail.end == line.end - 1
            guard tail.end == line.end || isCompleted else { continue }
            let newline: [UInt8] = [10]
            let expected =
                isCompleted
                ? CRC32C.checksum(of: newline.span, seed: tail.checksum) : tail.checksum
            guard place.checksum == expected else { throw changed() }
            lane.markVerified()
        }
    }

    private mutating func nextBlock() {
        partitioner.closeBatch()
        block += 1
        blockLines = 0
        blockBytes = 0
    }

    /// Reads from the input; where that fails, what was read before is appended.
    private mutating func input<R>(
        _ body: (inout LineReader) throws(InputError) -> R
    ) throws(PipelineError) -> R {
        let failure: InputError
        do throws(InputError) { return try body(&reader) } catch { failure = error }
        try append()
        try close()
        var error = PipelineError(failure)
        error.advice = said.capitalizedFirst + "."
        throw error
    }

    /// Appends what was read before a row that is none, and throws.
    private mutating func fail(
        _ line: InputLine, _ column: Int, _ message: String
    ) throws(PipelineError) -> Never {
        try append()
        try close()
        throw PipelineError(
            .badData, message, advice: said.capitalizedFirst + ", nothing behind it is.",
            file: file, position: SourcePosition(line: line.number, column: column))
    }

    /// How much is there, in words.
    private var said: String {
        let rows = lanes.reduce(0) { $0 + $1.rows }
        let what = rows == 1 ? "1 row before it is" : "\(rows) rows before it are"
        let before = rowsAlreadyThere > 0 ? ", and \(rowsAlreadyThere) were there already" : ""
        return "\(what) in topic '\(topic.name)'\(before)"
    }

    // MARK: Appending

    /// Appends what waits in every lane, if anything does.
    private mutating func append() throws(PipelineError) {
        place.sequence = ProducerTail.sequence(block: block, lines: blockLines)
        if waitingRows > 0 {
            try requireVerified()
            if let spread = unsettledSpread, let producer = options.producer {
                try spread.settle(ProducerLane.prefix + producer, in: topic)
                unsettledSpread = nil
            }
            try log { (lane) throws(LogError) in try lane.append(place) }
            waitingRows = 0
            needsFlush = true
        }
        let rows = rowsAlreadyThere + lanes.reduce(0) { $0 + $1.rows }
        status.note(rows: rows, file: reader.fileProgress)
        try flushInTime()
        place.begin = place.end
        place.beginLine = 0
    }

    private mutating func flushInTime() throws(PipelineError) {
        guard options.durability == .interval, needsFlush else { return }
        let now = Clock.monotonicNanoseconds()
        guard now - flushed >= Self.flushNanoseconds else { return }
        flushed = now
        needsFlush = false
        try log { (lane) throws(LogError) in try lane.flush() }
    }

    /// Ends the writing; without a wish to the contrary everything is on the disk then.
    private mutating func close() throws(PipelineError) {
        guard options.durability != .some(.none) else { return }
        try log { (lane) throws(LogError) in try lane.close() }
    }

    private func log(
        _ body: (ProducerLane) throws(LogError) -> Void
    ) throws(PipelineError) {
        do throws(LogError) { for lane in lanes { try body(lane) } } catch {
            var found = PipelineError(error)
            found.advice = said.capitalizedFirst + "."
            throw found
        }
    }

    private func requireVerified() throws(PipelineError) {
        guard lanes.allSatisfy(\.tail.isVerified) else { throw changed() }
    }

    private func changed() -> PipelineError {
        PipelineError(
            .badData,
            "producer '\(options.producer ?? "")' has appended another input to topic "
                + "'\(topic.name)': it began with other bytes, or ended later",
            advice: "Nothing was appended. Give this input a producer's name of its own.",
            file: file)
    }

    /// What has been done.
    var summary: ProduceSummary {
        var summary = ProduceSummary(topic: topic.name, format: options.format ?? .lines)
        summary.rowsAlreadyThere = rowsAlreadyThere
        for lane in lanes {
            summary.rows += lane.rows
            summary.batches += lane.batches
            summary.bytes += lane.bytes
            summary.partitions.append(
                ProduceSummary.Partition(
                    partition: lane.partition, rows: lane.rows, endOffset: lane.endOffset))
        }
        return summary
    }
}

extension String {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
