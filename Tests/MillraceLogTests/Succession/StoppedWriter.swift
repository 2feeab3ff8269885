import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Sees mappings from their beginning, so that stores into them can be stopped later.
final class Bystander: DiskObserver {}

/// A writer in a thread of its own that is stopped in the middle of what it does.
final class StoppedWriter: Sendable {
    private struct State {
        var isReady = false
        var mayGoOn = false
        var offsets: [UInt64?] = []
    }

    private let state = Lock(State())
    private let bystander = Bystander()
    private let thread = Lock<PinnedThread?>(nil)
    private let stop = Lock<StopPoint?>(nil)
    let fixture: TopicFixture

    init(_ fixture: TopicFixture) {
        self.fixture = fixture
        DiskObservation.install(bystander, on: fixture.directory.path)
    }

    deinit { DiskObservation.remove(bystander) }

    /// Appends the rows `v0` and `v1`, then does `body`, in which it is stopped at `point`.
    ///
    /// - Returns: whether it was stopped.
    func start(
        _ mode: AppendMode, at point: StopPoint,
        _ body: @escaping @Sendable (consuming PartitionWriter, StoppedWriter) throws -> Void
    ) throws -> Bool {
        let made = try PinnedThread(name: "stopped", core: nil) {
            do {
                var writer = try self.fixture.topic.writer(partition: 0, mode: mode)
                for number in 0..<2 { self.note(try writer.append(text: "v\(number)")) }
                self.state.withLock { $0.isReady = true }
                self.wait { $0.mayGoOn }
                try body(writer, self)
            } catch {
                Issue.record(error)
            }
        }
        thread.withLock { $0 = made }
        wait { $0.isReady }
        DiskObservation.install(point, on: fixture.directory.path)
        stop.withLock { $0 = point }
        state.withLock { $0.mayGoOn = true }
        return waitUntil { point.isReached }
    }

    /// Lets the writer go on and waits until it is done.
    func wake() {
        let point = stop.withLock { $0 }
        point?.release()
        thread.withLock { $0 }?.join()
        if let point { DiskObservation.remove(point) }
    }

    /// Remembers where an append was said to be.
    func note(_ receipt: AppendReceipt) {
        state.withLock { $0.offsets.append(receipt.baseOffset) }
    }

    /// What the appends that returned were told.
    var offsets: [UInt64?] { state.withLock { $0.offsets } }

    private func wait(_ condition: (State) -> Bool) {
        _ = waitUntil { state.withLock { condition($0) } }
    }
}

/// Waits for something that is bound to happen; false when it has not for a minute.
func waitUntil(_ condition: () -> Bool) -> Bool {
    let end = Clock.monotonicNanoseconds() + 60_000_000_000
    while !condition() {
        if Clock.monotonicNanoseconds() > end { return false }
        PinnedThread.sleep(nanoseconds: 200_000)
    }
    return true
}

extension PartitionWriter {
    /// Appends one row, `text` and `padding` dots.
    @discardableResult
    mutating func append(text: String, padding: Int = 0) throws(LogError) -> AppendReceipt {
        var builder = BatchBuilder()
        builder.append(value: Array(text.utf8) + [UInt8](repeating: 0x2E, count: padding))
        return try append(&builder)
    }
}

extension TopicFixture {
    /// The rows from the first to the last, without dots; nil when their offsets are not dense.
    func texts() throws -> [String]? {
        var next: UInt64 = 0
        var texts: [String] = []
        for image in try images() {
            guard image.baseOffset == next else { return nil }
            next = image.endOffset
            texts += image.values.map { value in
                String(decoding: value.prefix { $0 != 0x2E }, as: UTF8.self)
            }
        }
        return texts
    }
}
