internal import BenchmarkSupport
internal import FoundationEssentials
internal import MillraceLog

/// A topic of one partition in a directory of its own, for rows of float32, 64 unless said.
final class DigitLog: Sendable {
    let directory: WorkDirectory
    let topic: Topic

    init(
        codec: Codec, filter: Filter = .none, columns: Int = DigitRows.columns,
        segmentBytes: Int = 256 << 20
    ) throws {
        directory = try WorkDirectory()
        topic = try DataDirectory(directory.path, create: true).topic(
            "digits",
            creating: TopicConfiguration(
                kind: .features, features: columns, codec: codec, filter: filter,
                segmentBytes: segmentBytes))
    }

    /// Appends `turns` batches; returns the seconds that the appends alone took.
    ///
    /// One more batch is appended before, so that the segment is there.
    func append(_ turns: Int) throws -> Double {
        let rows = try DigitRows.shared.get()
        var writer = try topic.writer(partition: 0)
        var builder = BatchBuilder(columns: DigitRows.columns)
        let clock = ContinuousClock()
        var total = Duration.zero
        for turn in 0...turns {
            Self.fill(&builder, rows, turn)
            let start = clock.now
            try writer.append(&builder)
            if turn > 0 { total += clock.now - start }
        }
        try writer.close()
        return total / .seconds(1)
    }

    private static func fill(_ builder: inout BatchBuilder, _ rows: DigitRows, _ turn: Int) {
        var target = builder.addRows(DigitRows.rowsPerBatch)
        let batch = rows.batch(turn)
        for index in batch.indices { target[index] = batch[index] }
    }

    /// Builds and appends `turns` batches row by row; returns the seconds that both took.
    func appendRows(_ turns: Int) throws -> Double {
        try append(turns) { writer, builder, bytes in
            for row in 0..<DigitRows.rowsPerBatch {
                let first = row * DigitRows.rowBytes
                builder.append(
                    rawRows: bytes.extracting(first..<first + DigitRows.rowBytes), count: 1)
            }
            try writer.append(&builder)
        }
    }

    /// Appends `turns` batches from where their rows stand; returns the seconds that took.
    func appendFromPlace(_ turns: Int) throws -> Double {
        try append(turns) { writer, builder, bytes in
            try writer.append(rawRows: bytes, count: DigitRows.rowsPerBatch, with: &builder)
        }
    }

    /// Times `turns` batches, after a first one that makes the segment.
    private func append(
        _ turns: Int,
        _ body: (inout PartitionWriter, inout BatchBuilder, RawSpan) throws -> Void
    ) throws -> Double {
        let rows = try DigitRows.shared.get()
        var writer = try topic.writer(partition: 0)
        var builder = BatchBuilder(columns: DigitRows.columns)
        let clock = ContinuousClock()
        var start = clock.now
        for turn in 0...turns {
            if turn == 1 { start = clock.now }
            let batch = rows.batch(turn)
            // SAFETY: every byte of a span of floats is initialised; there is no padding.
            try body(&writer, &builder, unsafe batch.bytes)
        }
        let duration = clock.now - start
        try writer.close()
        return duration / .seconds(1)
    }

    /// What a scan found.
    struct Scan {
        var seconds = 0.0
        var rows = 0
        var storedBytes = 0
        var sum: Float = 0
    }

    /// Reads everything three times with one reader and times the third.
    ///
    /// The first look makes the reader let go of what it read, the second makes it keep that.
    ///
    /// With `touchingRows`, the first element of each row is added up.
    func scan(touchingRows: Bool = false) throws -> Scan {
        var reader = try topic.reader(partition: 0)
        for _ in 0..<2 {
            _ = try Self.scan(&reader, touchingRows: false)
            try reader.seek(to: 0)
        }
        return try Self.scan(&reader, touchingRows: touchingRows)
    }

    private static func scan(
        _ reader: inout PartitionReader, touchingRows: Bool
    ) throws -> Scan {
        var found = Scan()
        let clock = ContinuousClock()
        let start = clock.now
        while let batch = try reader.next() {
            found.rows += batch.rows
            found.storedBytes += batch.storedBytes
            guard touchingRows else { continue }
            let matrix = batch.matrix
            for row in 0..<batch.rows { found.sum += matrix[row * batch.stride] }
        }
        found.seconds = (clock.now - start) / .seconds(1)
        return found
    }

    /// The path of the only segment.
    func segment() throws -> String {
        let partition = directory.path
        let names = try FileManager.default.subpathsOfDirectory(atPath: partition)
        let segments = names.filter { $0.hasSuffix(".log") }
        guard let name = segments.first, segments.count == 1 else {
            throw Bare.Failure(description: "\(segments.count) segments in \(partition)")
        }
        return partition + "/" + name
    }
}
