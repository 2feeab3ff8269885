import MillraceSystem
import Testing

@testable import MillraceLog

/// Going to an offset, across batches, segments and epochs; and following a log that grows.
@Suite struct SeekTests {
    /// A log of a few segments and epochs: batches of 1 to 12 rows, progress batches in between.
    private static func grown(_ codec: Codec) throws -> TopicFixture {
        let fixture = try TopicFixture(codec: codec)
        var random = SplitMix64(seed: 11)
        for epoch in 0..<3 {
            var writer = try fixture.topic.writer(partition: 0)
            try fixture.killOwner()
            for _ in 0..<200 {
                try Rows.append(1 + Int(random.next() % 12), to: &writer)
                if random.next() % 9 == 0 {
                    try Rows.appendProgress(to: &writer, end: writer.nextOffset)
                }
            }
            if epoch == 1 { try writer.close() }
        }
        return fixture
    }

    @Test(arguments: Codec.allCases)
    func everyOffset(_ codec: Codec) throws {
        let fixture = try Self.grown(codec)
        #expect(try fixture.segments().count > 3)
        let end = try fixture.topic.endOffset(partition: 0)
        var reader = try fixture.topic.reader(partition: 0)
        #expect(try Rows.offsets(&reader) == Array(0..<end))
        var wrong = 0
        for offset in 0..<end {
            try reader.seek(to: offset)
            #expect(reader.nextOffset == offset)
            let image = try Self.nextImage(&reader)
            let index = image?.skippedRows ?? 0
            let isRight =
                image.map { $0.baseOffset + UInt64(index) == offset && index < $0.rows } ?? false
                && image?.values[index] == Rows.value(offset)
            if !isRight { wrong += 1 }
        }
        #expect(wrong == 0)
        for offset in [0, end / 3, end - 1, end] {
            try reader.seek(to: offset)
            #expect(try Rows.offsets(&reader) == Array(offset..<end))
            #expect(try reader.isAtEnd)
            #expect(reader.nextOffset == end)
        }
    }

    private static func nextImage(_ reader: inout PartitionReader) throws(LogError) -> BatchImage? {
        if let batch = try reader.next() { return BatchImage(batch) }
        return nil
    }

    @Test func outOfRange() throws {
        let fixture = try Self.grown(.none)
        let end = try fixture.topic.endOffset(partition: 0)
        var reader = try fixture.topic.reader(partition: 0, from: end)
        for offset in [end + 1, end + 1_000_000, .max] {
            let error = #expect(throws: LogError.self) { try reader.seek(to: offset) }
            #expect(error?.code == .offsetOutOfRange)
            #expect(error?.description.contains("0 to \(end)") == true)
        }
        // A refused seek leaves the reader usable.
        #expect(try Rows.offsets(&reader) == [])
        let empty = try TopicFixture()
        var nothing = try empty.topic.reader(partition: 0, from: 0)
        #expect(try nothing.isAtEnd)
        #expect(try Rows.offsets(&nothing) == [])
        #expect(
            logErrorCode { () throws(LogError) in
                _ = try empty.topic.reader(partition: 0, from: 1)
            } == .offsetOutOfRange)
        #expect(
            logErrorCode { () throws(LogError) in
                _ = try empty.topic.reader(partition: 1)
            } == .notFound)
    }

    /// A reader that was sent to an offset which is not there yet leaves out the rows before it.
    @Test func anOffsetAheadOfTheRows() throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        try Rows.append(2, to: &writer)
        try fixture.control().endOffset.storeReleasing(CheckedWord.seal(7))
        var reader = try fixture.topic.reader(partition: 0, from: 5)
        for count in [1, 2, 3] { try Rows.append(count, to: &writer) }
        #expect(try Rows.offsets(&reader) == [5, 6, 7])
    }

    @Test(arguments: Codec.allCases)
    func followsAGrowingLog(_ codec: Codec) throws {
        let fixture = try TopicFixture(codec: codec)
        var first = try fixture.topic.reader(partition: 0)
        var second = try fixture.topic.reader(partition: 0)
        var seen: [UInt64] = []
        for epoch in 0..<3 {
            var writer = try fixture.topic.writer(partition: 0)
            try fixture.killOwner()
            for count in 0..<150 {
                #expect(try first.isAtEnd)
                try Rows.append(1 + count % 20, to: &writer)
                #expect(try !first.isAtEnd)
                seen += try #require(try Rows.offsets(&first))
                #expect(seen.count == Int(writer.nextOffset))
            }
            if epoch == 1 {
                try Rows.append(1, to: &writer)
                seen += try #require(try Rows.offsets(&first))
            }
        }
        #expect(seen == Array(0..<UInt64(seen.count)))
        #expect(try Rows.offsets(&second) == seen)
        #expect(try fixture.segments().count >= 3)
    }

    @Test func readsWhileAnotherThreadWrites() throws {
        let fixture = try TopicFixture()
        let batches = 2_000
        let thread = try PinnedThread(name: "writer", core: nil) {
            do throws(LogError) {
                var writer = try fixture.topic.writer(partition: 0)
                for count in 0..<batches { try Rows.append(1 + count % 5, to: &writer) }
            } catch {
                Issue.record(error)
            }
        }
        let rows = (0..<batches).reduce(0) { $0 + 1 + $1 % 5 }
        var reader = try fixture.topic.reader(partition: 0)
        var seen: [UInt64] = []
        let deadline = Clock.monotonicNanoseconds() + 20_000_000_000
        while seen.count < rows, Clock.monotonicNanoseconds() < deadline {
            seen += try #require(try Rows.offsets(&reader))
            PinnedThread.yield()
        }
        thread.join()
        #expect(seen == Array(0..<UInt64(rows)))
        #expect(try reader.endOffset == UInt64(rows))
    }
}
