import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Readers that are in the newest segment while it stops to be that.
@Suite struct ReaderRaceTests {
    private let directory: TemporaryDirectory
    private let topic: Topic

    init() throws {
        directory = try TemporaryDirectory("millrace-race")
        topic = try DataDirectory(directory.path, create: true).topic(
            "rows",
            creating: TopicConfiguration(
                kind: .bytes, codec: .none, segmentBytes: 1 << 16,
                retention: RetentionPolicy(bytes: 100_000)))
    }

    /// Appends batches of one row of a kilobyte.
    private static func append(_ count: Int, to writer: inout PartitionWriter) throws {
        var builder = BatchBuilder()
        for _ in 0..<count {
            let byte = UInt8(truncatingIfNeeded: writer.nextOffset)
            builder.append(value: [UInt8](repeating: byte, count: 1024).span)
            try writer.append(&builder)
        }
    }

    /// Reads what there is; the offsets of the rows.
    private static func offsets(_ reader: inout PartitionReader) throws(LogError) -> [UInt64] {
        var offsets: [UInt64] = []
        while let batch = try reader.next() {
            offsets.append(batch.baseOffset)
            let value = batch.value(0)
            let first = value[0]
            #expect(first == UInt8(truncatingIfNeeded: batch.baseOffset))
        }
        return offsets
    }

    private func control() throws -> ControlPage {
        try topic.files(0).openControl(writable: true)
    }

    @Test(arguments: [OutOfRangePolicy.error, .earliest])
    func theNewestSegmentIsRolledAndRemoved(_ policy: OutOfRangePolicy) throws {
        var writer = try topic.writer(partition: 0)
        try Self.append(3, to: &writer)
        var reader = try topic.reader(partition: 0, onOutOfRange: policy)
        #expect(try Self.offsets(&reader) == [0, 1, 2])
        try Self.append(500, to: &writer)
        let start = try topic.startOffset(partition: 0)
        #expect(start > 100)
        // The rest of its segment, which nobody else can see any more.
        for offset in 3..<UInt64(50) {
            let base = try reader.next()?.baseOffset
            #expect(base == offset)
        }
        if policy == .error {
            let code = logErrorCode { () throws(LogError) in _ = try Self.offsets(&reader) }
            #expect(code == .offsetOutOfRange)
            #expect(reader.nextOffset < 64)
        } else {
            let rest = try Self.offsets(&reader)
            #expect(rest.suffix(503 - Int(start)) == Array(start..<503)[...])
            #expect(rest.count < 503 - Int(start) + 20)
        }
    }

    @Test func theNewestSegmentIsSucceededAndRemoved() throws {
        var writer = try topic.writer(partition: 0)
        try Self.append(3, to: &writer)
        var reader = try topic.reader(partition: 0)
        #expect(try Self.offsets(&reader) == [0, 1, 2])
        // A writer of the old segment, stopped before it publishes, leaves a batch there.
        let control = try control()
        let before = try control.publishedValue().position
        try Self.append(2, to: &writer)
        let published = try control.publishedValue()
        let stalled = PublishedWord(epoch: published.epoch, position: before)
        control.published.storeReleasing(
            PublishedWord(epoch: published.epoch + 1, position: stalled.position).word)
        control.endOffset.storeReleasing(CheckedWord.seal(3))
        var successor = try topic.writer(partition: 0)
        try Self.append(500, to: &successor)
        var found: [UInt64] = []
        let code = logErrorCode { () throws(LogError) in found = try Self.offsets(&reader) }
        #expect(code == .offsetOutOfRange)
        #expect(found == [])
        #expect(reader.nextOffset == 3, "rows that were never published")
    }

    @Test func anEmptyNewestSegmentIsSuperseded() throws {
        var writer = try topic.writer(partition: 0)
        try Self.append(3, to: &writer)
        try writer.closeSegment()
        var reader = try topic.reader(partition: 0, from: 3)
        #expect(try Self.offsets(&reader) == [])
        // Its writer is succeeded before it publishes.
        let control = try control()
        let published = try control.publishedValue()
        control.published.storeReleasing(
            PublishedWord(epoch: published.epoch + 1, position: published.position).word)
        try Self.append(2, to: &writer)
        #expect(try Self.offsets(&reader) == [3, 4])
    }

    @Test func aSegmentIsBegunBetweenTwoLooks() throws {
        var writer = try topic.writer(partition: 0)
        try Self.append(3, to: &writer)
        var reader = try topic.reader(partition: 0)
        for _ in 0..<3 { _ = try reader.next()?.rows }
        #expect(reader.nextOffset == 3)
        // The reader's first look at the end finds the new segment, and nothing in it.
        try writer.closeSegment()
        #expect(try Self.offsets(&reader) == [])
        try Self.append(2, to: &writer)
        #expect(try Self.offsets(&reader) == [3, 4])
    }
}
