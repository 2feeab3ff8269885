import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Who walks the log while retention removes its front finds what is left, or is told what is gone.
@Suite struct RetentionRaceTests {
    /// A topic of which retention keeps one segment, and a thread that is stopped in `body`.
    private final class Race {
        let fixture: TopicFixture
        let stopped: StoppedWriter
        private var other: PartitionWriter?

        init(
            _ retention: RetentionPolicy = RetentionPolicy(bytes: 1), at point: StopPoint,
            before: (inout PartitionWriter, Topic) throws -> Void = { _, _ in },
            _ body: @escaping @Sendable (Topic) throws -> Void
        ) throws {
            fixture = try TopicFixture(retention: retention)
            stopped = StoppedWriter(fixture)
            var writer = try fixture.topic.writer(partition: 0)
            try before(&writer, fixture.topic)
            other = consume writer
            let isStopped = try stopped.start(.write, at: point) { _, stopped in
                try body(stopped.fixture.topic)
            }
            try #require(isStopped)
        }

        /// Appends three segments, and retains the last.
        func retain() throws -> Int? {
            for _ in 0..<3 {
                try other?.closeSegment()
                try other?.append(text: "w")
            }
            return try other?.applyRetention()
        }
    }

    private static func opening() -> StopPoint {
        .atCall { $0.kind == .open && $0.path.hasSuffix(".log") }
    }

    @Test func aWriterIsOpened() throws {
        let race = try Race(at: .atCall { $0.kind == .list && $0.path.hasSuffix("/0") }) { topic in
            var writer = try topic.writer(partition: 0)
            try writer.append(text: "late")
        }
        #expect(try race.retain() == 3)
        race.stopped.wake()
        #expect(try race.fixture.images().flatMap(\.values).map(\.count) == [1, 4])
    }

    @Test(arguments: [DiskCall.Kind.list, .open])
    func aProducerIsOpened(_ kind: DiskCall.Kind) throws {
        let last = Lock<UInt64?>(nil)
        let point = StopPoint.atCall {
            $0.kind == kind && ($0.path.hasSuffix("/0") || $0.path.hasSuffix(".log"))
        }
        let race = try Race(
            at: point,
            before: { _, topic in
                var named = try topic.writer(partition: 0, producer: "p")
                try named.append(sequence: 7)
            },
            { topic in
                let writer = try topic.writer(partition: 0, producer: "p")
                last.withLock { $0 = writer.lastSequence }
            })
        #expect(try race.retain() == 3)
        race.stopped.wake()
        #expect(last.withLock { $0 } == 7)
    }

    @Test(arguments: [DiskCall.Kind.list, .open])
    func theLastOriginIsSought(_ kind: DiskCall.Kind) throws {
        let end = Lock<UInt64?>(nil)
        let point = StopPoint.atCall {
            $0.kind == kind && ($0.path.hasSuffix("/0") || $0.path.hasSuffix(".log"))
        }
        let race = try Race(
            at: point,
            before: { writer, topic in
                var builder = BatchBuilder()
                builder.origin = BatchOrigin()
                builder.origin?.source = try topic.dictionaryID(of: "source")
                builder.origin?.end = 9
                try writer.append(&builder)
            },
            { topic in
                let last = try topic.lastOrigin(
                    partition: 0, source: "source", sourcePartition: 0)
                end.withLock { $0 = last?.origin.end }
            })
        #expect(try race.retain() == 3)
        race.stopped.wake()
        #expect(end.withLock { $0 } == 9)
    }

    @Test(arguments: [OutOfRangePolicy.error, .earliest, .latest])
    func aReaderSeeks(_ policy: OutOfRangePolicy) throws {
        let outcome = Lock<(code: LogError.Code?, next: UInt64)>((nil, 99))
        let race = try Race(at: Self.opening()) { topic in
            let code = logErrorCode { () throws(LogError) in
                var reader = try topic.reader(partition: 0, from: 1, onOutOfRange: policy)
                _ = try reader.next()
                let next = reader.nextOffset
                outcome.withLock { $0.next = next }
            }
            outcome.withLock { $0.code = code }
        }
        #expect(try race.retain() == 3)
        race.stopped.wake()
        let (code, next) = outcome.withLock { $0 }
        #expect(code == (policy == .error ? .offsetOutOfRange : nil))
        if policy != .error { #expect(next == 5) }
    }

    @Test func aTimeIsSought() throws {
        let found = Lock<[UInt64]>([])
        let race = try Race(at: Self.opening()) { topic in
            var reader = try topic.reader(partition: 0)
            try reader.seek(toTime: 1)
            let next = reader.nextOffset
            found.withLock { $0.append(next) }
        }
        #expect(try race.retain() == 3)
        race.stopped.wake()
        #expect(found.withLock { $0 } == [4])
    }

    /// A reader in a segment that was closed by a writer that had not appended to it, and removed.
    @Test func aRemovedSegmentEndsWhereItsBatchesEnd() throws {
        let fixture = try TopicFixture(retention: RetentionPolicy(bytes: 1))
        var writer = try fixture.topic.writer(partition: 0)
        for _ in 0..<2 { try Rows.append(5, to: &writer) }
        var reader = try fixture.topic.reader(partition: 0, onOutOfRange: .earliest)
        #expect(try reader.nextBatch() == 0)
        var other = try fixture.topic.writer(partition: 0)
        for _ in 0..<2 {
            try other.closeSegment()
            try Rows.append(5, to: &other)
        }
        #expect(try other.applyRetention() == 2)
        #expect(try reader.nextBatch() == 5)
        #expect(try reader.nextBatch() == 15)
        #expect(try reader.nextBatch() == nil)
    }

    /// A reader that begins to hold rows, when retention has looked for such readers and is about to
    /// move the start of the log, is waited for.
    @Test(arguments: [false, true])
    func aReaderBeginsToHold(goingBack: Bool) throws {
        let fixture = try TopicFixture(retention: RetentionPolicy(bytes: 1, heldBytes: 1 << 20))
        let stopped = StoppedWriter(fixture)
        var writer = try fixture.topic.writer(partition: 0)
        for _ in 0..<3 {
            try writer.append(text: "w")
            try writer.closeSegment()
        }
        try writer.append(text: "w")
        var early = try fixture.topic.reader(partition: 0, holding: goingBack)
        if goingBack { try early.seek(to: 3) }
        let moving = StopPoint.atStore { $0.hasSuffix("/control") && $1 == 832 }
        let removed = Lock<Int?>(nil)
        let isStopped = try stopped.start(.write, at: moving) { writer, _ in
            var writer = writer
            let count = try writer.applyRetention()
            removed.withLock { $0 = count }
        }
        try #require(isStopped)
        var late = try fixture.topic.reader(partition: 0, holding: !goingBack)
        if goingBack { try early.seek(to: 0) }
        stopped.wake()
        #expect(removed.withLock { $0 } == 0)
        var offsets: [UInt64] = []
        while let offset = try goingBack ? early.nextBatch() : late.nextBatch() {
            offsets.append(offset)
        }
        #expect(offsets == Array(0..<6))
        #expect(try fixture.control().startPosition() == 0)
    }
}
