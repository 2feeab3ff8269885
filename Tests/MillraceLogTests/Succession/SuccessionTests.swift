import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// A writer that is stopped in the middle of an append, while others succeed it, append and are
/// read; then it is woken: each batch is there exactly once, and nothing is harmed.
@Suite struct SuccessionTests {
    /// Where the writer stops.
    enum Point: String, CaseIterable, Sendable {
        case taking, writing, publishing, raisingTheEnd, releasing
        // While it begins a new segment.
        case tellingOfLessSpace, cutting, creating, writingTheHeader, counting, allocating
        case tellingOfSpace

        /// Whether the append is to begin a segment.
        var rolls: Bool {
            switch self {
            case .taking, .writing, .publishing, .raisingTheEnd, .releasing: false
            default: true
            }
        }

        /// Whether the batch is published when the writer stops there.
        var isPublished: Bool { self == .raisingTheEnd || self == .releasing }

        func stop(_ mode: AppendMode) -> StopPoint {
            func word(_ byte: Int, skipping skipped: Int = 0) -> StopPoint {
                StopPoint.atStore(skipping: skipped) { $0.hasSuffix("/control") && $1 == byte }
            }
            func call(_ matches: @escaping @Sendable (DiskCall) -> Bool) -> StopPoint {
                StopPoint.atCall { $0.path.hasSuffix(".log") && matches($0) }
            }
            switch self {
            case .taking: return word(576)
            case .releasing: return word(576, skipping: 1)
            case .publishing: return word(64)
            case .raisingTheEnd: return word(128)
            case .counting: return word(256)
            case .tellingOfLessSpace: return word(896)
            case .tellingOfSpace: return word(896, skipping: 1)
            case .writing:
                if mode == .mapped { return .atStore { path, _ in path.hasSuffix(".log") } }
                return call { if case .write(_, 128..., _) = $0 { true } else { false } }
            case .cutting: return call { if case .truncate(_, 1...) = $0 { true } else { false } }
            case .creating:
                return call {
                    if case .open(_, let flags) = $0 { flags & O_CREAT != 0 } else { false }
                }
            case .writingTheHeader:
                return call { if case .write(_, 0, _) = $0 { true } else { false } }
            case .allocating: return call { $0.kind == .allocate }
            }
        }
    }

    @Test(arguments: Point.allCases, [AppendMode.write, .mapped])
    func aStoppedAppend(_ point: Point, _ mode: AppendMode) throws {
        let fixture = try TopicFixture(inMemory: true)
        var follower = try fixture.topic.reader(partition: 0)
        let stopped = StoppedWriter(fixture)
        var early = try fixture.topic.writer(partition: 0, mode: mode)
        let padding = point.rolls ? 1 << 16 : 0
        let isStopped = try stopped.start(mode, at: point.stop(mode)) { writer, stopped in
            var writer = writer
            stopped.note(try writer.append(text: "v2", padding: padding))
            stopped.note(try writer.append(text: "v3"))
        }
        try #require(isStopped)
        // One that was open before, one that is opened now.
        var receipts = [try early.append(text: "w0").baseOffset]
        var late = try fixture.topic.writer(partition: 0, mode: mode)
        receipts.append(try late.append(text: "w1").baseOffset)
        receipts.append(try early.append(text: "w2").baseOffset)
        let before = point.isPublished ? ["v0", "v1", "v2"] : ["v0", "v1"]
        let meanwhile = before + ["w0", "w1", "w2"]
        #expect(try fixture.texts() == meanwhile)
        let epoch = try fixture.control().publishedValue().epoch
        #expect(epoch == (point == .taking ? 1 : 2))

        stopped.wake()
        try late.append(text: "w3")
        let all = meanwhile + (point.isPublished ? [] : ["v2"]) + ["v3", "w3"]
        #expect(try fixture.texts() == all)
        // What each append was told is where its row is.
        #expect(stopped.offsets.map { $0.map { all[Int($0)] } } == ["v0", "v1", "v2", "v3"])
        #expect(receipts.map { $0.map { all[Int($0)] } } == ["w0", "w1", "w2"])
        #expect(try fixture.topic.endOffset(partition: 0) == UInt64(all.count))
        var followed = 0
        while let batch = try follower.next() { followed += batch.rows }
        #expect(followed == all.count)
        #expect(try fixture.control().publishedValue().epoch == epoch)

        // What it left in files does not mislead a recovery.
        try fixture.pretendMachineRestarted()
        #expect(try fixture.topic.writer(partition: 0).tornBytes == 0)
        #expect(try fixture.texts() == all)
    }

    /// What a writer published and did not come to count is there for who asks for all of it.
    @Test func theEndBehindWhatIsNotCounted() throws {
        let fixture = try TopicFixture(inMemory: true)
        #expect(try fixture.topic.publishedEnd(partition: 0) == 0)
        let stopped = StoppedWriter(fixture)
        let isStopped = try stopped.start(.write, at: Point.raisingTheEnd.stop(.write)) {
            writer, stopped in
            var writer = writer
            stopped.note(try writer.append(text: "v2"))
        }
        try #require(isStopped)
        #expect(try fixture.topic.endOffset(partition: 0) == 2)
        #expect(try fixture.topic.publishedEnd(partition: 0) == 3)
        stopped.wake()
        #expect(try fixture.topic.endOffset(partition: 0) == 3)
        #expect(try fixture.topic.publishedEnd(partition: 0) == 3)
    }

    /// Who waits for the disk is given ten seconds: all at the same time.
    @Test func stoppedAtTheDisk() throws {
        let threads = try Slow.allCases.map { point in
            try PinnedThread(name: "slow", core: nil) {
                do { try Self.stoppedAtTheDisk(point) } catch { Issue.record(error) }
            }
        }
        for thread in threads { thread.join() }
    }

    /// What the writer stops before, in its close or flush.
    private enum Slow: CaseIterable {
        case closeCutting, closeMarking, flushSyncing, flushTelling

        var isFlush: Bool { self == .flushSyncing || self == .flushTelling }

        var stop: StopPoint {
            switch self {
            case .closeCutting: .atCall { $0.path.hasSuffix(".log") && $0.kind == .truncate }
            case .closeMarking: .atStore { $0.hasSuffix("/control") && $1 == 512 }
            case .flushSyncing: .atCall { $0.path.hasSuffix(".log") && $0.kind == .syncData }
            case .flushTelling: .atStore { $0.hasSuffix("/control") && $1 == 640 }
            }
        }
    }

    private static func stoppedAtTheDisk(_ point: Slow) throws {
        let fixture = try TopicFixture()
        let stopped = StoppedWriter(fixture)
        var other = try fixture.topic.writer(partition: 0)
        let isStopped = try stopped.start(.write, at: point.stop) { writer, stopped in
            if point.isFlush { try writer.flush() } else { try writer.close() }
        }
        try #require(isStopped)
        try other.append(text: "w0")
        try other.flush()
        let end = try fixture.control().publishedValue()
        #expect(try fixture.control().durablePosition() == end.position)
        // A flusher does not keep anybody from appending.
        #expect(end.epoch == (point.isFlush ? 1 : 2))
        stopped.wake()
        #expect(try fixture.control().durablePosition() == end.position)
        #expect(try fixture.control().cleanValue() != end)
        try other.append(text: "w1")
        #expect(try fixture.texts() == ["v0", "v1", "w0", "w1"])
        try other.close()
        #expect(try fixture.words().clean == fixture.words().published)
        try fixture.pretendMachineRestarted()
        #expect(try fixture.texts() == ["v0", "v1", "w0", "w1"])
    }

    /// A producer's stopped append, repeated by its next instance, is there once.
    @Test(arguments: [Point.writing, .publishing, .raisingTheEnd])
    func aStoppedProducer(_ point: Point) throws {
        let fixture = try TopicFixture(inMemory: true)
        let stopped = StoppedWriter(fixture)
        let fenced = Outcome()
        let isStopped = try stopped.start(.write, at: point.stop(.write)) { writer, stopped in
            // The thread's first writer has no name: one with a name does the rest.
            var named = try stopped.fixture.topic.writer(partition: 0, producer: "p")
            fenced.set(logErrorCode { () throws(LogError) in try named.append(sequence: 1) })
        }
        try #require(isStopped)
        var next = try fixture.topic.writer(partition: 0, producer: "p")
        let receipt = try next.append(sequence: 1)
        #expect(receipt.isDuplicate == point.isPublished)
        #expect(receipt.baseOffset == 2)
        try next.append(sequence: 2)
        stopped.wake()
        // It was appended before it was fenced, or by the other: then the stopped one is told.
        #expect(fenced.code == (point.isPublished ? nil : .fenced))
        #expect(try fixture.texts() == ["v0", "v1", "p1", "p2"])
    }
}

/// What a call in another thread came to.
private final class Outcome: Sendable {
    private let value = Lock<LogError.Code?>(nil)

    func set(_ code: LogError.Code?) { value.withLock { $0 = code } }

    var code: LogError.Code? { value.withLock { $0 } }
}

extension PartitionWriter {
    /// Appends the row `p` and the sequence, in the name of the writer's producer.
    @discardableResult
    mutating func append(sequence: UInt64) throws(LogError) -> AppendReceipt {
        var builder = BatchBuilder()
        builder.append(value: "p\(sequence)".utf8)
        builder.sequence = sequence
        return try append(&builder)
    }
}
