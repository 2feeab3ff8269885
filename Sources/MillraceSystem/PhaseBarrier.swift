internal import CMillraceLinux
internal import Synchronization

/// Where the threads of a group wait for each other between two phases of their work.
///
/// Everything that a thread did before it arrived is visible to the completion, and everything that
/// the completion did to every thread that goes on.
@safe package final class PhaseBarrier: @unchecked Sendable {
    // Sendable: every access to the two words is atomic.

    /// Looks at the phase before a thread goes to sleep: some microseconds.
    private static let spins = 2000
    /// No sleep is without bound.
    private static let sleepNanoseconds: Int64 = 100_000_000

    private let parties: Int
    private let arrived = Atomic<Int>(0)
    /// Grows with each phase; threads sleep on it.
    private let phase: UnsafeMutablePointer<Atomic<UInt32>>
    private let sleepers = Atomic<Int>(0)

    /// A barrier for so many threads.
    package init(parties: Int) {
        precondition(parties > 0, "a barrier is for at least one thread")
        self.parties = parties
        unsafe phase = .allocate(capacity: 1)
        unsafe phase.initialize(to: Atomic(0))
    }

    deinit {
        unsafe phase.deinitialize(count: 1)
        unsafe phase.deallocate()
    }

    /// Waits until all threads have arrived; the last one runs `completion` before they go on.
    package func arrive(_ completion: () -> Void) {
        let seen = unsafe phase.pointee.load(ordering: .acquiring)
        // Acquires what the others have released by arriving, and releases what this one did.
        let count = arrived.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue
        guard count == parties else { return wait(while: seen) }
        completion()
        arrived.store(0, ordering: .relaxed)
        // Sequentially consistent with the count of sleepers, so that none is missed; pairs with
        // the loads of `wait`.
        unsafe phase.pointee.store(seen &+ 1, ordering: .sequentiallyConsistent)
        if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
            _ = unsafe ml_futex_wake_all(
                UnsafeRawPointer(phase).assumingMemoryBound(to: UInt32.self))
        }
    }

    private func wait(while seen: UInt32) {
        for _ in 0..<Self.spins {
            if unsafe phase.pointee.load(ordering: .acquiring) != seen { return }
        }
        sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
        while unsafe phase.pointee.load(ordering: .sequentiallyConsistent) == seen {
            // SAFETY: the word lives as long as the barrier, which the caller holds.
            _ = unsafe ml_futex_wait(
                UnsafeRawPointer(phase).assumingMemoryBound(to: UInt32.self), seen,
                Self.sleepNanoseconds)
        }
        sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }
}
