internal import MillraceSystem
internal import Synchronization

/// A thread that saves one thing after the other while the one who asks for it goes on.
///
/// Made by a thread that is bound to no core, it is bound to none either.
/// **Thread-safety**: one user at a time.
final class SavingThread: Sendable {
    private static let pollNanoseconds: Int64 = 50_000

    private let state: State
    private let thread: PinnedThread

    private final class State: Sendable {
        let work = Lock<(@Sendable () throws -> Void)?>(nil)
        let failure = Lock<(any Error)?>(nil)
        let isBusy = Atomic<Bool>(false)
        /// Where the two meet when there is work, or none any more.
        let handover = PhaseBarrier(parties: 2)

        func run() {
            while true {
                handover.arrive {}
                guard let work = work.withLock({ $0.take() }) else { return }
                do { try work() } catch { failure.withLock { $0 = error } }
                // Pairs with the loads of `isBusy`.
                isBusy.store(false, ordering: .releasing)
            }
        }
    }

    /// Starts a thread that has nothing to do yet.
    ///
    /// - Throws: `SystemError` when no thread can be made.
    init(name: String) throws {
        let state = State()
        self.state = state
        thread = try PinnedThread(name: "\(name)/save", core: nil) { state.run() }
    }

    /// Whether something is being saved.
    var isBusy: Bool { state.isBusy.load(ordering: .acquiring) }

    /// Has something saved; what was asked for before must have been waited for.
    func start(_ work: @escaping @Sendable () throws -> Void) {
        precondition(!isBusy, "one thing is saved at a time")
        state.isBusy.store(true, ordering: .relaxed)
        state.work.withLock { $0 = work }
        state.handover.arrive {}
    }

    /// Waits until nothing is being saved.
    ///
    /// - Throws: what the work has thrown, once.
    func wait() throws {
        while isBusy { PinnedThread.sleep(nanoseconds: Self.pollNanoseconds) }
        if let error = state.failure.withLock({ $0.take() }) { throw error }
    }

    /// Lets the thread end, after what it does.
    func end() {
        while isBusy { PinnedThread.sleep(nanoseconds: Self.pollNanoseconds) }
        state.handover.arrive {}
        thread.join()
    }
}
