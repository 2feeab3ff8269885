import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// A writer that is stopped, or just goes on, while its topic is deleted and made anew under the
/// same name: it is told, and nothing of the new topic is touched.
@Suite struct DeletedTopicTests {
    /// What the writer is about to do when it is stopped.
    enum Point: CaseIterable, Sendable {
        case creating, removing, naming, syncing, marking

        var stop: StopPoint {
            switch self {
            case .creating:
                .atCall {
                    guard case .open(let path, let flags) = $0 else { return false }
                    return path.hasSuffix(".log") && flags & O_CREAT != 0
                }
            case .removing: .atCall { $0.kind == .unlink && $0.path.hasSuffix(".log") }
            case .naming: .atCall { $0.kind == .open && $0.path.hasSuffix("/dictionary") }
            case .syncing: .atCall { $0.kind == .open && $0.path.hasSuffix(".log") }
            case .marking: .atStore { $0.hasSuffix("/control") && $1 == 832 }
            }
        }

        func act(_ writer: inout PartitionWriter, _ topic: Topic) throws(LogError) {
            switch self {
            case .creating: try writer.append(text: "v2", padding: 1 << 16)
            case .naming: _ = try topic.dictionaryID(of: "old")
            case .syncing: try writer.flush()
            case .removing, .marking: try writer.applyRetention()
            }
        }
    }

    private static let retention = RetentionPolicy(bytes: 1)

    /// Fills a topic with three segments, always the same.
    private static func fill(_ topic: Topic) throws {
        var writer = try topic.writer(partition: 0)
        for number in 0..<2 { try writer.append(text: "v\(number)") }
        for _ in 0..<2 { try writer.append(text: "v2", padding: 1 << 16) }
        _ = try topic.dictionaryID(of: "new")
    }

    @Test(arguments: Point.allCases)
    func aStoppedWriter(_ point: Point) throws {
        let fixture = try TopicFixture(retention: Self.retention)
        let stopped = StoppedWriter(fixture)
        let outcome = Lock<LogError.Code?>(nil)
        let isStopped = try stopped.start(.write, at: point.stop) { writer, stopped in
            var writer = writer
            if point == .removing || point == .marking {
                try writer.closeSegment()
                try writer.append(text: "v")
            }
            let code = logErrorCode { () throws(LogError) in
                try point.act(&writer, stopped.fixture.topic)
            }
            outcome.withLock { $0 = code }
        }
        try #require(isStopped)
        let data = try DataDirectory(fixture.directory.path, create: false)
        try data.deleteTopic("rows")
        let next = try data.topic(
            "rows",
            creating: TopicConfiguration(kind: .bytes, codec: .none, segmentBytes: 1 << 16))
        try Self.fill(next)
        stopped.wake()
        #expect(outcome.withLock { $0 } == .notFound)
        #expect(try next.dictionaryText(1) == "new")
        var reader = try next.reader(partition: 0)
        var rows = 0
        while let batch = try reader.next() { rows += batch.rows }
        #expect(rows == 4)
        let found = try data.verifyTopic("rows")
        #expect(found.faults == [])
        #expect(found.notes == [])
        #expect(found.counts.rows == 4)
    }

    /// Whoever still has the old topic open is told that it is gone.
    @Test func whoHasItOpen() throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        try writer.append(text: "v0")
        var reader = try fixture.topic.reader(partition: 0)
        let data = try DataDirectory(fixture.directory.path, create: false)
        try data.deleteTopic("rows")
        let next = try data.topic("rows", creating: fixture.topic.configuration)
        try Self.fill(next)
        let old = fixture.topic
        let codes = [
            logErrorCode { () throws(LogError) in try writer.append(text: "v1") },
            logErrorCode { () throws(LogError) in try writer.flush() },
            logErrorCode { () throws(LogError) in _ = try old.writer(partition: 0) },
            logErrorCode { () throws(LogError) in _ = try old.reader(partition: 0) },
            logErrorCode { () throws(LogError) in _ = try old.endOffset(partition: 0) },
            logErrorCode { () throws(LogError) in _ = try old.dictionaryID(of: "old") },
            logErrorCode { () throws(LogError) in while try reader.next() != nil {} },
        ]
        #expect(codes == [LogError.Code](repeating: .notFound, count: codes.count))
        #expect(try data.verifyTopic("rows").faults == [])
    }

    /// A maker that is stopped before its topic has its name is in nobody's way, and takes the
    /// other's topic when it wakes.
    @Test func aStoppedMaker() throws {
        let place = try TemporaryDirectory("millrace-log")
        let data = try DataDirectory(place.path, create: true)
        let configuration = TopicConfiguration(kind: .bytes)
        let point = StopPoint.atCall {
            $0.kind == .rename && $0.path.contains("/~new-") && !$0.path.contains(".tmp-")
        }
        DiskObservation.install(point, on: place.path)
        let made = Lock<UInt64?>(nil)
        let thread = try PinnedThread(name: "maker", core: nil) {
            do {
                let id = try data.topic("rows", creating: configuration).id
                made.withLock { $0 = id }
            } catch { Issue.record(error) }
        }
        try #require(waitUntil { point.isReached })
        let topic = try data.topic("rows", creating: configuration)
        #expect(try data.topicNames() == ["rows"])
        // What the stopped one has made so far is not taken for a dead one's.
        #expect(try Files.list(place.path + "/topics").count == 3)
        try Self.fill(topic)
        point.release()
        thread.join()
        DiskObservation.remove(point)
        #expect(made.withLock { $0 } == topic.id)
        #expect(try Files.list(place.path + "/topics") == ["rows"])
        #expect(try data.verifyTopic("rows").faults == [])
    }

    /// Who deletes topics waits for one that is stopped in the middle, and is told which process.
    @Test func aStoppedDeleter() throws {
        let place = try TemporaryDirectory("millrace-log")
        let data = try DataDirectory(place.path, create: true)
        for name in ["a", "b"] { _ = try data.createTopic(name, TopicConfiguration(kind: .bytes)) }
        guard let lock = try FileLock.acquire(place.path + "/topics.lock") else {
            Issue.record("the lock is taken")
            return
        }
        let error = #expect(throws: LogError.self) { try data.deleteTopic("b") }
        #expect(error?.code == .busy)
        #expect(error?.description.contains("process \(getpid())") == true)
        // Making and opening topics needs no lock.
        _ = try data.topic("c", creating: TopicConfiguration(kind: .bytes))
        _ = consume lock
        try data.deleteTopic("b")
        #expect(try data.topicNames() == ["a", "c"])
    }
}
