import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Readers that wait see what comes, whoever dies, and learn when nothing can come any more.
@Suite struct WaitingTests {
    /// A reader that waits in a thread of its own, for up to a minute.
    private final class Waiter: Sendable {
        private struct State {
            var isWaiting = false
            var result: Result<Bool, LogError>?
            var rows: [UInt64]?
        }

        private let state = Lock(State())
        private let thread = Lock<PinnedThread?>(nil)

        init(_ topic: Topic, _ strategy: WaitStrategy) throws {
            let made = try PinnedThread(name: "waiter", core: nil) {
                do throws(LogError) {
                    let isThere = try self.wait(topic, strategy)
                    self.state.withLock { $0.result = .success(isThere) }
                } catch {
                    self.state.withLock { $0.result = .failure(error) }
                }
            }
            thread.withLock { $0 = made }
            #expect(waitUntil { state.withLock { $0.isWaiting } })
        }

        private func wait(_ topic: Topic, _ strategy: WaitStrategy) throws(LogError) -> Bool {
            var reader = try topic.reader(partition: 0)
            _ = try Rows.offsets(&reader)
            state.withLock { $0.isWaiting = true }
            let isThere = try reader.wait(strategy, nanoseconds: 60_000_000_000)
            let rows = try Rows.offsets(&reader)
            state.withLock { $0.rows = rows }
            return isThere
        }

        var isDone: Bool { state.withLock { $0.result != nil } }

        /// What the wait came to, and the rows seen after it.
        func end() throws -> (isThere: Bool, rows: [UInt64]?) {
            thread.withLock { $0 }?.join()
            let state = state.withLock { $0 }
            return (try #require(state.result).get(), state.rows)
        }
    }

    @Test(arguments: [WaitStrategy.spin, .yield, .sleep], [AppendMode.write, .mapped])
    func seeAnAppend(_ strategy: WaitStrategy, _ mode: AppendMode) throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0, mode: mode)
        try Rows.append(2, to: &writer)
        for turn in 0..<5 as Range<UInt64> {
            let waiter = try Waiter(fixture.topic, strategy)
            PinnedThread.sleep(nanoseconds: Int64(turn) * 2_000_000)
            #expect(!waiter.isDone)
            try Rows.append(3, to: &writer)
            let (isThere, rows) = try waiter.end()
            #expect(isThere)
            #expect(rows == Array(2 + turn * 3..<5 + turn * 3))
        }
    }

    @Test(arguments: [WaitStrategy.spin, .yield, .sleep])
    func nothingComes(_ strategy: WaitStrategy) throws {
        let fixture = try TopicFixture()
        var reader = try fixture.topic.reader(partition: 0)
        #expect(try !reader.wait(strategy, nanoseconds: 3_000_000))
        #expect(try !reader.wait(strategy, nanoseconds: 0))
        #expect(try !reader.wait(strategy, nanoseconds: -1))
        var writer = try fixture.topic.writer(partition: 0)
        try Rows.append(1, to: &writer)
        #expect(try reader.wait(strategy, nanoseconds: 0))
        #expect(try reader.wait(strategy, nanoseconds: .max))
    }

    /// The writer finds the sleeper's mark, takes it away and changes the word it sleeps on.
    @Test func aSleeperIsWoken() throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        try Rows.append(1, to: &writer)
        let control = try fixture.control()
        let before = control.futex.load()
        try Rows.append(1, to: &writer)
        // Nobody sleeps: nothing is done for it.
        let idle = control.futex.load()
        #expect(idle == before)
        let seen = control.announceSleeper()
        let asleep = control.waiters.loadAcquiring()
        #expect(seen == before)
        #expect(asleep == 1)
        try Rows.append(1, to: &writer)
        let awake = control.waiters.loadAcquiring()
        let woken = control.futex.load()
        #expect(awake == 0)
        #expect(woken == before + 1)
        // Who goes to sleep now does not: the word has changed.
        control.sleep(while: seen, nanoseconds: 60_000_000_000)
    }

    /// Who the writer is, and who waits for it.
    private final class Cast: Sendable {
        let writer = Lock<pthread_t?>(nil)
        let waiter = Lock<Waiter?>(nil)

        var isWriter: Bool { writer.withLock { $0 } == pthread_self() }
    }

    /// A writer that died (here: stops) between its publication and waking leaves nobody asleep.
    @Test(arguments: [384, 320])
    func aWriterThatWakesNobody(byte: Int) throws {
        let fixture = try TopicFixture()
        let stopped = StoppedWriter(fixture)
        let cast = Cast()
        let point = StopPoint.atStore { path, offset in
            path.hasSuffix("/control") && offset == byte && cast.isWriter
        }
        let isStopped = try stopped.start(.write, at: point) { writer, stopped in
            var writer = writer
            let waiter = try Waiter(stopped.fixture.topic, .sleep)
            _ = waitUntil { stopped.fixture.hasSleeper }
            cast.waiter.withLock { $0 = waiter }
            cast.writer.withLock { $0 = pthread_self() }
            stopped.note(try writer.append(text: "v2"))
        }
        try #require(isStopped)
        // It is not woken, and yet it sees the row.
        let waiter = try #require(cast.waiter.withLock { $0 })
        let isDone = waitUntil { waiter.isDone }
        #expect(isDone)
        stopped.wake()
        #expect(try waiter.end().isThere)
    }

    @Test(arguments: [WaitStrategy.spin, .yield, .sleep])
    func theTopicIsDeleted(_ strategy: WaitStrategy) throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        try Rows.append(2, to: &writer)
        let waiter = try Waiter(fixture.topic, strategy)
        try DataDirectory(fixture.directory.path, create: false).deleteTopic("rows")
        let error = #expect(throws: LogError.self) { try waiter.end() }
        #expect(error?.code == .notFound)
        #expect(error?.description.contains("'rows' has been deleted") == true)
        // Who appends is told as well.
        #expect(
            logErrorCode { () throws(LogError) in try Rows.append(1, to: &writer) } == .notFound)
        #expect(logErrorCode { () throws(LogError) in try writer.flush() } == .notFound)
    }

    /// A reader reads the segment that it is in to its end; then it is told.
    @Test func deletedWhileItIsRead() throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        for segment in 0..<2 {
            if segment > 0 { try writer.closeSegment() }
            for _ in 0..<3 { try Rows.append(2, to: &writer) }
        }
        var inside = try fixture.topic.reader(partition: 0)
        #expect(try inside.nextBatch() == 0)
        var atEnd = try fixture.topic.reader(partition: 0)
        #expect(try Rows.offsets(&atEnd)?.count == 12)
        var before = try fixture.topic.reader(partition: 0)
        try DataDirectory(fixture.directory.path, create: false).deleteTopic("rows")
        var seen: [UInt64] = []
        let code = logErrorCode { () throws(LogError) in
            while let offset = try inside.nextBatch() { seen.append(offset) }
        }
        #expect(code == .notFound)
        #expect(seen == [2, 4])
        for _ in 0..<2 {
            let atEnd = logErrorCode { () throws(LogError) in _ = try atEnd.nextBatch() }
            #expect(atEnd == .notFound)
            let before = logErrorCode { () throws(LogError) in _ = try before.nextBatch() }
            #expect(before == .notFound)
        }
        let opening = logErrorCode { () throws(LogError) in
            _ = try fixture.topic.reader(partition: 0)
        }
        #expect(opening != nil)
    }
}
