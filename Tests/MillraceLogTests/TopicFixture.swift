import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// One topic in a data directory of its own, with its files in reach.
struct TopicFixture: Sendable {
    let directory: TemporaryDirectory
    let topic: Topic

    init(
        _ kind: TopicConfiguration.Kind = .bytes, features: Int = 0, label: Bool = false,
        codec: Codec = .none, segmentBytes: Int = 1 << 16, flush: FlushPolicy = .none,
        retention: RetentionPolicy = .keep, inMemory: Bool = false
    ) throws {
        directory = try TemporaryDirectory("millrace-log", inMemory: inMemory)
        topic = try DataDirectory(directory.path, create: true).topic(
            "rows",
            creating: TopicConfiguration(
                kind: kind, features: features, label: label, codec: codec,
                segmentBytes: segmentBytes, flush: flush, retention: retention))
    }

    var partitionPath: String { topic.directory + "/0" }
    var controlPath: String { partitionPath + "/control" }

    var files: PartitionFiles {
        PartitionFiles(directory: partitionPath, topic: "rows", topicID: topic.id, partition: 0)
    }

    func control() throws -> ControlPage { try files.openControl(writable: true) }

    /// The control page's words as they are now.
    func words() throws -> (published: UInt64, end: UInt64, ceiling: UInt64, clean: UInt64) {
        let control = try control()
        return (
            control.published.loadAcquiring(), try control.endOffsetValue(),
            try control.ceilingValue(), control.clean.loadAcquiring()
        )
    }

    /// Paths of the segments, in the order of the log.
    func segments() throws -> [String] { try files.segments(from: 0).entries.map(\.path) }

    /// The newest segment.
    func newest() throws -> String { try #require(try segments().last) }

    /// Bytes of the newest segment's file up to the published end; zeros lie behind them.
    func usedBytes() throws -> Int {
        let base = try #require(try files.segments(from: 0).entries.last).header.basePosition
        let published = try control().publishedValue().position
        return SegmentHeader.byteCount + Int(published - base)
    }

    /// The newest segment without the zeros behind the published end.
    func usedContent() throws -> [UInt8] {
        Array(try Damage.content(newest()).prefix(try usedBytes()))
    }

    /// Puts the append lock into the hand of a writer that is dead: the next one succeeds it, with
    /// an epoch and a segment of its own.
    func killOwner() throws {
        try control().appender.storeReleasing(7 << 24 | 99)
    }

    /// Whether a reader has said that it sleeps until something is published.
    var hasSleeper: Bool {
        do throws(LogError) {
            let control = try files.openControl(writable: false)
            return control.waiters.loadAcquiring() == 1
        } catch { return false }
    }

    /// Every batch from the start of the log to its end.
    func images() throws(LogError) -> [BatchImage] {
        var reader = try topic.reader(partition: 0)
        var images: [BatchImage] = []
        while let batch = try reader.next() { images.append(BatchImage(batch)) }
        return images
    }

    /// Makes the next opening believe that the machine was restarted since the last one.
    func pretendMachineRestarted() throws {
        let control = try control()
        control.boot.storeReleasing(CheckedWord.seal(try control.bootValue() ^ 0xFFFF))
    }
}

/// Everything that a batch shows, as plain values that can be kept and compared.
struct BatchImage: Equatable, Sendable {
    var baseOffset: UInt64
    var endOffset: UInt64
    var rows: Int
    var skippedRows: Int
    var columns: Int
    var epoch: UInt32
    var specification: UInt32
    var sequence: UInt64
    var timestamps: [Int64]
    var origin: BatchOrigin?
    /// Bit patterns, so that NaN equals itself.
    var matrix: [UInt32] = []
    var labels: [UInt32] = []
    var marks: [UInt8] = []
    var sources: [UInt64] = []
    var drops: [[UInt32]] = []
    var values: [[UInt8]] = []

    init(_ batch: borrowing RecordBatch) {
        baseOffset = batch.baseOffset
        endOffset = batch.endOffset
        rows = batch.rows
        skippedRows = batch.skippedRows
        columns = batch.columns
        epoch = batch.epoch
        specification = batch.specification
        sequence = batch.sequence
        timestamps = [batch.firstTimestamp, batch.appendedAt]
        origin = batch.origin
        var floats = [Float](repeating: 0, count: batch.rows * batch.columns)
        var target = floats.mutableSpan
        batch.widen(rows: 0..<batch.rows, into: &target)
        matrix = floats.map(\.bitPattern)
        let targets = batch.labels
        for index in targets.indices { labels.append(targets[index].bitPattern) }
        for index in 0..<batch.rows {
            marks.append(batch.mark(index))
            sources.append(batch.sourceOffset(index))
            if batch.columns == 0 { values.append(Self.bytes(batch.value(index))) }
        }
        for index in 0..<batch.dropCount {
            let drop = batch.drop(index)
            drops.append([drop.sourceDelta, drop.reason])
        }
    }

    private static func bytes(_ span: Span<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        for index in span.indices { bytes.append(span[index]) }
        return bytes
    }
}

/// Rows of byte topics whose content follows from their offset.
enum Rows {
    /// The row at `offset`: empty now and then, up to 60 bytes, half of it hard to compress.
    static func value(_ offset: UInt64) -> [UInt8] {
        var random = SplitMix64(seed: offset)
        let count = Int(random.next() % 8) * 4
        guard count > 0 else { return [] }
        return Array("row \(offset)".utf8) + (0..<count).map { _ in UInt8(random.next() & 0xFF) }
    }

    /// Appends the next `count` rows as one batch.
    static func append(_ count: Int, to writer: inout PartitionWriter) throws(LogError) {
        var builder = BatchBuilder()
        let first = writer.nextOffset
        for offset in first..<first + UInt64(count) { builder.append(value: value(offset)) }
        try writer.append(&builder)
    }

    /// Appends a batch without rows that says how far a source was read.
    static func appendProgress(to writer: inout PartitionWriter, end: UInt64) throws(LogError) {
        var builder = BatchBuilder()
        builder.origin = BatchOrigin()
        builder.origin?.end = end
        try writer.append(&builder)
    }

    /// Reads to the end and returns the offsets of the rows seen; nil when one has other bytes
    /// than its offset asks for.
    static func offsets(
        _ reader: inout PartitionReader
    ) throws(LogError) -> [UInt64]? {
        var offsets: [UInt64] = []
        var right = true
        while let batch = try reader.next() {
            for index in batch.skippedRows..<batch.rows {
                let offset = batch.baseOffset + UInt64(index)
                let expected = value(offset)
                let found = batch.value(index)
                if found.count != expected.count { right = false }
                for byte in 0..<min(found.count, expected.count) where found[byte] != expected[byte]
                {
                    right = false
                }
                offsets.append(offset)
            }
        }
        return right ? offsets : nil
    }
}

extension PartitionReader {
    /// Offset of the next batch's first row; nil at the end.
    mutating func nextBatch() throws(LogError) -> UInt64? {
        guard let batch = try next() else { return nil }
        return batch.baseOffset
    }
}

/// Changing files behind the program's back.
enum Damage {
    static func flip(_ path: String, bit: Int) throws {
        let file = try FileHandle(path, .readWrite)
        var byte: [UInt8] = [0]
        _ = try file.read(into: &byte, at: bit / 8)
        byte[0] ^= 1 << UInt8(bit % 8)
        try file.write(byte, at: bit / 8)
    }

    static func truncate(_ path: String, to size: Int) throws {
        try FileHandle(path, .readWrite).truncate(to: size)
    }

    static func overwrite(_ path: String, with bytes: [UInt8]) throws {
        let file = try FileHandle(path, .readWrite)
        try file.truncate(to: bytes.count)
        try file.write(bytes, at: 0)
    }

    static func content(_ path: String) throws -> [UInt8] {
        try Files.read(path, maxBytes: 1 << 30)
    }
}

/// The code of the error that `body` throws; nil when it throws none.
func logErrorCode(_ body: () throws(LogError) -> Void) -> LogError.Code? {
    do throws(LogError) { try body() } catch { return error.code }
    return nil
}
