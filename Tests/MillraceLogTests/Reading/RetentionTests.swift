import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// What retention removes, what it keeps, and what readers, producers and stages see of it.
@Suite struct RetentionTests {
    /// Appends `segments` segments of two batches of five rows each; the newest is still open.
    private static func fill(
        _ fixture: TopicFixture, _ segments: Int
    ) throws -> PartitionWriter {
        var writer = try fixture.topic.writer(partition: 0)
        for segment in 0..<segments {
            if segment > 0 { try writer.closeSegment() }
            for _ in 0..<2 { try Rows.append(5, to: &writer) }
        }
        return writer
    }

    /// Bytes of the batches of the segments `from ..< to`.
    private static func bytes(_ fixture: TopicFixture, from: Int, to: Int) throws -> Int {
        let list = try fixture.files.segments(fixture.control())
        let published = try fixture.control().publishedValue().position
        return Int(
            list.limit(of: to - 1, published: published) - list.entries[from].header.basePosition)
    }

    private static func offsets(_ fixture: TopicFixture) throws -> [UInt64]? {
        var reader = try fixture.topic.reader(partition: 0)
        return try Rows.offsets(&reader)
    }

    /// Whatever a segment says of its age: it is old, or it is not.
    @Test(arguments: [Int64.min, -1 << 62, .max])
    func timesThatNoClockTells(_ time: Int64) throws {
        let directory = try TemporaryDirectory("millrace-log")
        let topic = try DataDirectory(directory.path, create: true).topic(
            "rows",
            creating: TopicConfiguration(
                kind: .bytes, segmentBytes: 1 << 16, segmentMilliseconds: 60_000,
                retention: RetentionPolicy(milliseconds: 60_000)))
        var first = try topic.writer(partition: 0)
        try Rows.append(5, to: &first)
        try first.close()
        let names = try Files.list(topic.directory + "/0").filter { $0.hasSuffix(".log") }
        let path = "\(topic.directory)/0/\(try #require(names.first))"
        var bytes = try Files.read(path, maxBytes: 1 << 20)
        for byte in 0..<8 { bytes[48 + byte] = UInt8(truncatingIfNeeded: time >> (8 * byte)) }
        let checksum = CRC32C.checksum(
            of: bytes.span.extracting(16..<SegmentHeader.byteCount))
        for byte in 0..<4 { bytes[12 + byte] = UInt8(truncatingIfNeeded: checksum >> (8 * byte)) }
        try Files.writeDurably(path, bytes)
        var writer = try topic.writer(partition: 0)
        try Rows.append(5, to: &writer)
        let segments = try Files.list(topic.directory + "/0").filter { $0.hasSuffix(".log") }
        #expect(segments.count == (time < 0 ? 2 : 1))
        #expect(try writer.applyRetention() == 0)
        var reader = try topic.reader(partition: 0)
        #expect(try Rows.offsets(&reader) == Array(0..<10))
    }

    @Test func byBytes() throws {
        let probe = try TopicFixture()
        _ = try Self.fill(probe, 4)
        let kept = try Self.bytes(probe, from: 2, to: 4)
        for (bytes, removed) in [(kept + 1, 1), (kept, 2), (kept - 1, 2), (1, 3)] {
            let fixture = try TopicFixture(retention: RetentionPolicy(bytes: bytes))
            var writer = try Self.fill(fixture, 4)
            let indexes = try Files.list(fixture.partitionPath).filter { $0.hasSuffix(".index") }
            #expect(indexes.count == 4)
            #expect(try writer.applyRetention() == removed, "\(bytes) bytes")
            let first = UInt64(10 * removed)
            #expect(try fixture.topic.startOffset(partition: 0) == first)
            #expect(try Self.offsets(fixture) == Array(first..<40))
            let names = try Files.list(fixture.partitionPath)
            #expect(names.filter { $0.hasSuffix(".log") }.count == 4 - removed)
            #expect(names.filter { $0.hasSuffix(".index") }.count == 4 - removed)
            #expect(try writer.applyRetention() == 0)
            try Rows.append(5, to: &writer)
            try writer.close()
            // The start stays what it is, for who opens it and after a crash of the machine.
            try fixture.pretendMachineRestarted()
            #expect(try fixture.topic.writer(partition: 0).nextOffset == 45)
            #expect(try Self.offsets(fixture) == Array(first..<45))
        }
    }

    /// Rolling applies it without being asked, and a log stays as small as it may be.
    @Test func whileRolling() throws {
        let fixture = try TopicFixture(retention: RetentionPolicy(bytes: 100_000))
        var writer = try fixture.topic.writer(partition: 0)
        for _ in 0..<1_000 { try Rows.append(20, to: &writer) }
        #expect(try fixture.files.segments(fixture.control()).entries.count <= 3)
        let start = try fixture.topic.startOffset(partition: 0)
        #expect(start > 10_000)
        #expect(try Self.offsets(fixture) == Array(start..<20_000))
    }

    @Test func byAge() throws {
        let young = try TopicFixture(retention: RetentionPolicy(milliseconds: 3_600_000))
        var writer = try Self.fill(young, 3)
        #expect(try writer.applyRetention() == 0)
        let fixture = try TopicFixture()
        var old = try Self.writer(fixture, RetentionPolicy(milliseconds: 1))
        for segment in 0..<3 {
            if segment > 0 { try old.closeSegment() }
            try Rows.append(5, to: &old)
        }
        PinnedThread.sleep(nanoseconds: 5_000_000)
        // The newest as well: it is closed first.
        #expect(try old.applyRetention() == 3)
        #expect(try Self.offsets(fixture) == [])
        #expect(try fixture.topic.startOffset(partition: 0) == 15)
        #expect(try fixture.topic.endOffset(partition: 0) == 15)
        #expect(try old.applyRetention() == 0)
        try Rows.append(5, to: &old)
        #expect(try Self.offsets(fixture) == Array(15..<20))
    }

    /// A writer with a policy of its own, which nothing applies but the test.
    private static func writer(
        _ fixture: TopicFixture, _ retention: RetentionPolicy
    ) throws -> PartitionWriter {
        var configuration = fixture.topic.configuration
        configuration.retention = retention
        return try PartitionWriter(
            files: fixture.files, configuration: configuration, producer: 0, mode: .write,
            sources: nil, upkeep: nil)
    }

    private static func startOffset(_ fixture: TopicFixture) -> UInt64? {
        do { return try fixture.control().startOffsetValue() } catch { return nil }
    }

    /// Rows of a topic to which nobody appends any more expire while a writer lives.
    @Test(arguments: [FlushPolicy.none, .interval(milliseconds: 20)])
    func anIdleWriter(_ flush: FlushPolicy) throws {
        let fixture = try TopicFixture(
            flush: flush, retention: RetentionPolicy(milliseconds: 1))
        var writer = try fixture.topic.writer(partition: 0)
        try Rows.append(5, to: &writer)
        #expect(waitUntil { Self.startOffset(fixture) == 5 })
        try Rows.append(5, to: &writer)
        #expect(writer.nextOffset == 10)
    }

    /// And when somebody opens the topic to write, or asks for it.
    @Test(arguments: [false, true])
    func anIdleTopic(asking: Bool) throws {
        let fixture = try TopicFixture()
        do {
            var writer = try fixture.topic.writer(partition: 0)
            try Rows.append(5, to: &writer)
        }
        let data = try DataDirectory(fixture.directory.path, create: false)
        let old = RetentionPolicy(milliseconds: 1)
        let topic = try data.alterTopic("rows", TopicAlteration(retention: old))
        PinnedThread.sleep(nanoseconds: 5_000_000)
        if asking { try topic.applyRetention() } else { _ = try topic.writer(partition: 0) }
        #expect(try topic.startOffset(partition: 0) == 5)
    }

    /// Of a producer whose name is new no batches are looked for, of a known one all.
    @Test func opensForAProducer() throws {
        let fixture = try TopicFixture()
        _ = try Self.fill(fixture, 5)
        func opened(_ name: String) throws -> Int {
            let recorder = CallRecorder()
            try recorder.run(on: fixture.directory.path) {
                let writer = try fixture.topic.writer(partition: 0, producer: name)
                #expect(writer.lastSequence == nil)
            }
            let segments = try fixture.segments()
            // Once for its header, when the segments are listed.
            return recorder.opened.filter { segments.contains($0) }.count - segments.count
        }
        #expect(try opened("p") == 1)
        #expect(try opened("p") == 5)
    }

    /// Rows that another writer appends between the look and the removal are not removed.
    @Test func anAppendMeanwhile() throws {
        let fixture = try TopicFixture()
        let stopped = StoppedWriter(fixture)
        var other = try fixture.topic.writer(partition: 0)
        let taking = StopPoint.atStore { $0.hasSuffix("/control") && $1 == 576 }
        let isStopped = try stopped.start(.write, at: taking) { _, _ in
            var writer = try Self.writer(fixture, RetentionPolicy(milliseconds: 1))
            PinnedThread.sleep(nanoseconds: 5_000_000)
            let removed = try writer.applyRetention()
            #expect(removed == 0)
        }
        try #require(isStopped)
        try other.append(text: "w0")
        stopped.wake()
        #expect(try fixture.texts() == ["v0", "v1", "w0"])
    }

    /// A list that is taken while segments go has none of them, and no hole behind the first.
    @Test func aListTakenMeanwhile() throws {
        let fixture = try TopicFixture(retention: RetentionPolicy(bytes: 1))
        let stopped = StoppedWriter(fixture)
        var other = try fixture.topic.writer(partition: 0)
        for _ in 0..<4 {
            try other.append(text: "w")
            try other.closeSegment()
        }
        let second = try fixture.segments()[1]
        let opening = StopPoint.atCall { $0.kind == .open && $0.path == second }
        let isStopped = try stopped.start(.write, at: opening) { _, _ in
            let list = try fixture.files.segments(fixture.control())
            let ends = list.entries.dropFirst().map(\.header.basePosition)
            #expect(list.entries.first?.header.basePosition == list.start)
            #expect(try fixture.control().startPosition() == list.start)
            #expect(ends.count <= 1)
        }
        try #require(isStopped)
        #expect(try other.applyRetention() > 2)
        stopped.wake()
    }

    // MARK: - Readers

    @Test(arguments: [OutOfRangePolicy.error, .earliest, .latest])
    func aReaderInARemovedSegment(_ policy: OutOfRangePolicy) throws {
        let fixture = try TopicFixture(retention: RetentionPolicy(bytes: 1))
        var writer = try Self.fill(fixture, 4)
        var reader = try fixture.topic.reader(partition: 0, onOutOfRange: policy)
        #expect(try reader.nextBatch() == 0)
        #expect(try writer.applyRetention() == 3)
        // It reads on to the end of the segment that it is in.
        #expect(try reader.nextBatch() == 5)
        switch policy {
        case .error:
            for _ in 0..<2 {
                let error = #expect(throws: LogError.self) { _ = try reader.nextBatch() }
                #expect(error?.code == .offsetOutOfRange)
                #expect(error?.description.contains("20 rows before it are gone") == true)
                #expect(error?.description.contains("which holds 30 to 40") == true)
            }
            #expect(reader.nextOffset == 10)
            try reader.seek(to: 30)
            #expect(try Rows.offsets(&reader) == Array(30..<40))
        case .earliest: #expect(try Rows.offsets(&reader) == Array(30..<40))
        case .latest:
            #expect(try Rows.offsets(&reader) == [])
            try Rows.append(2, to: &writer)
            #expect(try Rows.offsets(&reader) == [40, 41])
        }
        let from = logErrorCode { () throws(LogError) in
            _ = try fixture.topic.reader(partition: 0, from: 29)
        }
        #expect(from == .offsetOutOfRange)
        let other = policy == .error ? OutOfRangePolicy.earliest : policy
        var opened = try fixture.topic.reader(partition: 0, from: 29, onOutOfRange: other)
        #expect(try Rows.offsets(&opened)?.first == (policy == .latest ? nil : 30))
    }

    /// Readers that hold are waited for, up to the bytes that the policy allows.
    @Test func holdingReaders() throws {
        let fixture = try TopicFixture(
            retention: RetentionPolicy(bytes: 1, heldBytes: 1 << 20))
        var writer = try Self.fill(fixture, 4)
        do {
            var reader = try fixture.topic.reader(partition: 0, holding: true)
            #expect(try writer.applyRetention() == 0)
            for offset in [0, 5, 10] as [UInt64?] { #expect(try reader.nextBatch() == offset) }
            // It is in the second segment.
            #expect(reader.nextOffset == 15)
            #expect(try writer.applyRetention() == 1)
            #expect(try Rows.offsets(&reader) == Array(15..<40))
            #expect(try writer.applyRetention() == 2)
            try writer.closeSegment()
            try Rows.append(5, to: &writer)
            #expect(try writer.applyRetention() == 0)
        }
        // It is gone: nobody holds anything.
        #expect(try writer.applyRetention() == 1)
        #expect(try Self.offsets(fixture) == Array(40..<45))
    }

    @Test func holdingHasALimit() throws {
        let probe = try TopicFixture()
        _ = try Self.fill(probe, 4)
        let bytes = try Self.bytes(probe, from: 1, to: 4)
        let fixture = try TopicFixture(retention: RetentionPolicy(bytes: 1, heldBytes: bytes))
        var writer = try Self.fill(fixture, 4)
        var reader = try fixture.topic.reader(partition: 0, onOutOfRange: .earliest, holding: true)
        #expect(try reader.nextBatch() == 0)
        // The first segment makes it too much; of the others the reader's hold is honoured.
        #expect(try writer.applyRetention() == 1)
        #expect(try Rows.offsets(&reader) == Array(5..<40))
        #expect(try writer.applyRetention() == 2)
    }

    // MARK: - What must stay known

    @Test func producersAndOriginsAreRestated() throws {
        let fixture = try TopicFixture(retention: RetentionPolicy(bytes: 1))
        let source = try fixture.topic.dictionaryID(of: "source")
        let group = try fixture.topic.dictionaryID(of: "group")
        do {
            var named = try fixture.topic.writer(partition: 0, producer: "p")
            for sequence in 1...3 as ClosedRange<UInt64> { try named.append(sequence: sequence) }
            var stage = try fixture.topic.writer(partition: 0)
            for partition in 0..<2 as Range<UInt32> {
                for end in [10, 20] as [UInt64] {
                    var builder = BatchBuilder()
                    builder.append(value: "output".utf8)
                    builder.origin = BatchOrigin()
                    builder.origin?.group = group
                    builder.origin?.source = source
                    builder.origin?.sourcePartition = partition
                    builder.origin?.begin = end - 10
                    builder.origin?.end = end + UInt64(partition)
                    builder.sequence = end * 2
                    try stage.append(&builder)
                }
            }
        }
        var writer = try fixture.topic.writer(partition: 0)
        for round in 0..<3 {
            try writer.closeSegment()
            try Rows.append(4, to: &writer)
            #expect(try writer.applyRetention() == 1, "round \(round)")
            for partition in 0..<2 {
                let last = try fixture.topic.lastOrigin(
                    partition: 0, source: "source", sourcePartition: partition, group: "group")
                #expect(last?.origin.begin == 10)
                #expect(last?.origin.end == 20 + UInt64(partition))
                #expect(last?.sequence == 40)
            }
            var named = try fixture.topic.writer(partition: 0, producer: "p")
            #expect(named.lastSequence == 3)
            let end = try fixture.topic.endOffset(partition: 0)
            for sequence in 1...3 as ClosedRange<UInt64> {
                let again = try named.append(sequence: sequence)
                // Where its rows were, nobody knows any more.
                #expect(again == AppendReceipt(baseOffset: nil, isDuplicate: true))
            }
            #expect(try fixture.topic.endOffset(partition: 0) == end)
        }
        // The restating batches have no rows.
        let rows = try fixture.images().reduce(0) { $0 + $1.rows }
        #expect(rows == 4)
        var named = try fixture.topic.writer(partition: 0, producer: "p")
        #expect(try !named.append(sequence: 4).isDuplicate)
        #expect(named.lastSequence == 4)
    }

    /// A producer that stays open while its batches are removed goes on.
    @Test func anOpenProducerGoesOn() throws {
        let fixture = try TopicFixture(retention: RetentionPolicy(bytes: 1))
        var named = try fixture.topic.writer(partition: 0, producer: "p")
        var other = try fixture.topic.writer(partition: 0)
        for sequence in 1...9 as ClosedRange<UInt64> {
            #expect(try !named.append(sequence: sequence).isDuplicate)
            try other.closeSegment()
            try other.append(text: "w")
            #expect(try other.applyRetention() == 1)
            #expect(try named.append(sequence: sequence).isDuplicate)
        }
    }

    /// A death between any two steps leaves all that is kept, and later nothing that is not.
    @Test(arguments: [false, true])
    func deathBetweenTheSteps(restarted: Bool) throws {
        let source = "source"
        var number = 0
        while true {
            number += 1
            let fixture = try TopicFixture(retention: RetentionPolicy(bytes: 1), inMemory: true)
            let id = try fixture.topic.dictionaryID(of: source)
            do {
                var named = try fixture.topic.writer(partition: 0, producer: "p")
                var builder = BatchBuilder()
                builder.origin = BatchOrigin()
                builder.origin?.source = id
                builder.origin?.end = 7
                builder.sequence = 1
                try named.append(&builder)
            }
            var end: UInt64 = 0
            let plan = FaultPlan(at: number, .error(EIO), .forever)
            do {
                var writer = try fixture.topic.writer(partition: 0)
                for _ in 0..<3 {
                    try Rows.append(4, to: &writer)
                    try writer.closeSegment()
                }
                try Rows.append(4, to: &writer)
                end = writer.nextOffset
                // From some call on, nothing works: as if the process were not there any more.
                plan.run(on: fixture.directory.path) {
                    _ = logErrorCode { () throws(LogError) in try writer.applyRetention() }
                }
            }
            // A failed sync leaves nothing else to do.
            let isPoisoned = try fixture.control().stateValue() == .poisoned
            if restarted || isPoisoned { try fixture.pretendMachineRestarted() }
            let start = try fixture.topic.startOffset(partition: 0)
            #expect([0, 12].contains(start), "call \(number)")
            #expect(try Self.offsets(fixture) == Array(start..<end), "call \(number)")
            let last = try fixture.topic.lastOrigin(
                partition: 0, source: source, sourcePartition: 0)
            #expect(last?.origin.end == 7, "call \(number)")
            var writer = try fixture.topic.writer(partition: 0, producer: "p")
            #expect(writer.lastSequence == 1, "call \(number)")
            try writer.applyRetention()
            let names = try Files.list(fixture.partitionPath).filter { $0.hasSuffix(".log") }
            #expect(names.count <= 2, "call \(number): \(names)")
            if plan.struck.isEmpty { break }
        }
        #expect(number > 20)
    }
}
