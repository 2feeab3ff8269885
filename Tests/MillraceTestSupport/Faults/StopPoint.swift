package import MillraceSystem

/// Stops one thread at a call or store that it is about to make, until it is let go.
///
/// The thread has decided what to do and has not done it yet: a process that is stopped between its
/// check and its publication. Other threads pass.
package final class StopPoint: DiskObserver {
    private enum Phase { case open, reached, released }

    private let skipped: Int
    private let stopsAtCall: @Sendable (DiskCall) -> Bool
    private let stopsAtStore: @Sendable (String, Int) -> Bool
    private let state = Lock((phase: Phase.open, matches: 0))

    private init(
        skipping skipped: Int, call: @escaping @Sendable (DiskCall) -> Bool,
        store: @escaping @Sendable (String, Int) -> Bool
    ) {
        self.skipped = skipped
        stopsAtCall = call
        stopsAtStore = store
    }

    /// Stops the thread that makes the first call for which `matches` holds, after `skipped` more.
    package static func atCall(
        skipping skipped: Int = 0, where matches: @escaping @Sendable (DiskCall) -> Bool
    ) -> StopPoint {
        StopPoint(skipping: skipped, call: matches, store: { _, _ in false })
    }

    /// Stops the thread that makes the first store or compare-exchange into a mapping for which
    /// `matches` holds, given path and byte offset, after `skipped` others.
    package static func atStore(
        skipping skipped: Int = 0,
        where matches: @escaping @Sendable (_ path: String, _ offset: Int) -> Bool
    ) -> StopPoint {
        StopPoint(skipping: skipped, call: { _ in false }, store: matches)
    }

    /// Stops the thread that makes the first call, store or compare-exchange, after `skipped` others.
    package static func atAny(skipping skipped: Int) -> StopPoint {
        StopPoint(skipping: skipped, call: { _ in true }, store: { _, _ in true })
    }

    /// Whether a thread has been stopped, even when it was let go since.
    package var isReached: Bool { state.withLock { $0.phase != .open } }

    /// Waits until a thread is stopped.
    package func waitUntilReached() { while !isReached { Self.pause() } }

    /// Lets the stopped thread go; none is stopped from now on.
    package func release() { state.withLock { $0.phase = .released } }

    package func willPerform(_ call: DiskCall) -> DiskAnswer {
        if stopsAtCall(call) { stop() }
        return .proceed
    }

    package func willStore(path: String, offset: Int, count: Int) {
        if stopsAtStore(path, offset) { stop() }
    }

    private func stop() {
        let stops = state.withLock { state in
            guard state.phase == .open else { return false }
            state.matches += 1
            guard state.matches > skipped else { return false }
            state.phase = .reached
            return true
        }
        guard stops else { return }
        while state.withLock({ $0.phase != .released }) { Self.pause() }
    }

    private static func pause() { PinnedThread.sleep(nanoseconds: 100_000) }
}
