internal import MillraceFeatures
internal import MillraceInput
internal import MillraceLog
internal import MillraceSystem

/// Moves the lines of a file into a topic, each line once, however often it is started.
///
/// Lines are cut into chunks of `chunkLines` lines or `chunkBytes` bytes; chunk `k` goes to partition
/// `k mod partitions`, of those that there were when the file was begun (`InputSpread`). Each batch
/// records its chunk, the byte range it covers and the checksum of the text up to its end. So the
/// partitions' tails tell what is there, and whether the file is still the one that was read.
struct FileSource {
    static let chunkLines = 4096
    /// A chunk also ends with the line that brings its text to this many bytes.
    static let chunkBytes = 4 << 20
    /// In the dictionary, texts that begin with this name the files that rows came from.
    static let filePrefix = "file:"

    /// Why a line is not a row of the topic; stored with the drops.
    enum Skip: UInt32 {
        case blank = 64
        case tooLong = 65
    }

    private let definition: SourceDefinition
    private let topic: Topic
    private let status: StageStatus
    private let stop: StopFlag
    private let rejections: RejectionLog
    private let sourceID: UInt32
    private let lanes: SourceLanes
    private var tails: [Tail] = []

    /// What one partition has of the file.
    private struct Tail {
        var chunk = -1
        var end = 0
        var checksum: UInt32 = 0
        var isVerified = true

        /// How much of chunk `number` is in the partition.
        func firstMissingByte(of number: Int) -> Int {
            number < chunk ? Int.max : number == chunk ? end : 0
        }
    }

    init(
        _ definition: SourceDefinition, topic: Topic, status: StageStatus, stop: StopFlag,
        rejections: RejectionLog
    ) throws(PipelineError) {
        self.definition = definition
        self.topic = topic
        self.status = status
        self.stop = stop
        self.rejections = rejections
        let name = Self.filePrefix + Files.normalized(definition.file)
        let spread = try InputSpread.of(name, in: topic, rule: "chunk")
        try spread.settle(name, in: topic)
        do throws(LogError) {
            // The writers come first: should another process read the same file into the topic
            // from now on, the later of us to append is refused.
            lanes = try SourceLanes(topic, partitions: spread.partitions, producer: name)
            sourceID = try topic.dictionaryID(of: name)
            for partition in 0..<spread.partitions {
                var tail = Tail()
                if let last = try topic.lastOrigin(
                    partition: partition, source: name, sourcePartition: 0)
                {
                    tail = Tail(
                        chunk: SourceChunk.number(ofSequence: last.sequence),
                        end: Int(last.origin.end),
                        checksum: last.origin.textChecksum, isVerified: false)
                }
                tails.append(tail)
            }
        } catch {
            throw PipelineError(error)
        }
    }

    /// What the rows of a file are: its columns are those given, or what its first line says.
    static func schema(of definition: SourceDefinition) throws(PipelineError) -> RowSchema {
        guard !Files.exists(definition.path) || Files.isRegular(definition.path) else {
            throw notAFile(definition)
        }
        guard definition.path != "-" else { throw notAFile(definition) }
        do throws(InputError) {
            var reader = try LineReader(
                path: definition.path, maxLineBytes: definition.maxLineBytes)
            if case .columns(let names) = definition.header {
                return RowSchema(
                    definition.format,
                    columns: try CSVHeader(names: names, path: definition.file).names)
            }
            if definition.format == .lines {
                return RowSchema(.lines, columns: [RowSchema.lineColumn])
            }
            if let line = try reader.next(), !line.isTooLong {
                let header =
                    definition.format == .csv
                    ? try CSVHeader(line: reader.text, path: definition.file)
                    : try CSVHeader(firstObject: reader.text, path: definition.file)
                return RowSchema(definition.format, columns: header.names)
            }
        } catch {
            throw PipelineError(error)
        }
        throw PipelineError(
            .badData,
            definition.format == .csv
                ? "expected a line with the names of the columns" : "expected a JSON object",
            file: definition.file, position: SourcePosition(line: 1, column: 1))
    }

    private static func notAFile(_ definition: SourceDefinition) -> PipelineError {
        PipelineError(
            .usage, "a source has to be a plain file: a stream cannot be gone on with after a stop",
            advice: "Write the rows to a file first.", file: definition.file)
    }

    /// Reads the file to its end.
    mutating func run() throws(PipelineError) {
        do {
            try read()
            try lanes.close()
        } catch {
            throw PipelineError.from(error)
        }
    }

    private mutating func read() throws {
        var reader = try LineReader(path: definition.path, maxLineBytes: definition.maxLineBytes)
        if definition.hasHeaderLine { _ = try reader.next() }
        var chunk = SourceChunk()
        chunk.start(0, firstByte: tails[0].firstMissingByte(of: 0))
        while !stop.isSet {
            guard let line = try reader.next() else {
                if chunk.lines > 0 {
                    try append(chunk, checksum: reader.runningChecksum())
                }
                return try requireAllVerified()
            }
            try take(line, reader.text, &chunk)
            let partition = chunk.number % tails.count
            if tails[partition].chunk == chunk.number {
                try verify(line, partition, checksum: { reader.runningChecksum() })
            }
            if chunk.lines == Self.chunkLines || chunk.textBytes >= Self.chunkBytes {
                try append(chunk, checksum: reader.runningChecksum())
                let next = chunk.number + 1
                chunk.start(
                    next, firstByte: tails[next % tails.count].firstMissingByte(of: next))
            }
        }
    }

    /// Adds a line to the chunk, unless it is in the topic already.
    private func take(
        _ line: InputLine, _ text: Span<UInt8>, _ chunk: inout SourceChunk
    ) throws(PipelineError) {
        guard chunk.see(line) else { return status.take(over: 1) }
        if line.isTooLong {
            try rejections.reject(
                file: definition.file, line: line.number,
                "longer than \(definition.maxLineBytes) bytes", policy: definition.badRows)
            status.add(rejected: 1)
            chunk.skip(line, reason: Skip.tooLong.rawValue)
        } else if text.isEmpty {
            chunk.skip(line, reason: Skip.blank.rawValue)
        } else {
            chunk.append(text)
        }
    }

    /// Compares the text up to the end of `line` with what was read before, when it ended there.
    private mutating func verify(
        _ line: InputLine, _ partition: Int, checksum: () -> UInt32
    ) throws(PipelineError) {
        let tail = tails[partition]
        // A last line without a newline may have been given one since.
        let isCompleted = tail.end == line.end - 1
        guard tail.end == line.end || isCompleted else { return }
        let newline: [UInt8] = [10]
        let expected =
            isCompleted
            ? CRC32C.checksum(of: newline.span, seed: tail.checksum) : tail.checksum
        guard checksum() == expected else { throw changed() }
        tails[partition].isVerified = true
    }

    private func requireAllVerified() throws(PipelineError) {
        guard tails.allSatisfy(\.isVerified) else { throw changed() }
    }

    private func changed() -> PipelineError {
        PipelineError(
            .badData,
            "the file is not the one that was read into topic '\(topic.name)' before: its "
                + "beginning has changed",
            advice: "Give the new file another name, or use another data directory.",
            file: definition.file)
    }

    private func append(
        _ chunk: SourceChunk, checksum: UInt32
    ) throws {
        let partition = chunk.number % tails.count
        // What was read before has to end where a line ends.
        if tails[partition].chunk == chunk.number, !tails[partition].isVerified { throw changed() }
        guard let first = chunk.first, let last = chunk.last else { return }
        var origin = BatchOrigin()
        origin.source = sourceID
        origin.begin = UInt64(first.begin)
        origin.end = UInt64(last.end)
        origin.textChecksum = checksum
        origin.beginLine = UInt64(first.number)
        origin.endLine = UInt64(last.number + 1)
        try lanes.append(chunk, origin: origin, to: partition)
        status.add(rows: chunk.rows)
    }
}

/// The writers of a source's topic, one a partition.
private final class SourceLanes {
    private var writers: [Lane] = []
    private var builder = BatchBuilder()

    private final class Lane {
        var writer: PartitionWriter?

        init(_ writer: consuming PartitionWriter) { self.writer = consume writer }
    }

    init(_ topic: Topic, partitions: Int, producer: String) throws(LogError) {
        for partition in 0..<partitions {
            writers.append(Lane(try topic.writer(partition: partition, producer: producer)))
        }
    }

    func append(
        _ chunk: SourceChunk, origin: BatchOrigin, to partition: Int
    ) throws(LogError) {
        builder.reset()
        builder.origin = origin
        builder.sequence = chunk.sequence
        chunk.fill(&builder)
        try writers[partition].writer?.append(&builder)
    }

    func close() throws(LogError) {
        for lane in writers { try lane.writer.take()?.close() }
    }
}
