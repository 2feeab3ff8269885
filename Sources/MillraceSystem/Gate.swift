internal import CMillraceLinux
internal import Synchronization

/// A gate at which threads of one process wait until another opens it, once.
///
/// **Thread-safety**: any thread.
@safe package final class Gate: @unchecked Sendable {
    // Sendable: every access is atomic, and the memory lives as long as the gate.
    private let word: UnsafeMutablePointer<Atomic<UInt32>>
    /// No wait of the kernel's is without bound.
    private static let longestWait: Int64 = 1_000_000_000

    /// A gate that is closed.
    package init() {
        unsafe word = .allocate(capacity: 1)
        unsafe word.initialize(to: Atomic(0))
    }

    deinit {
        unsafe word.deinitialize(count: 1)
        unsafe word.deallocate()
    }

    /// Opens the gate, which stays open.
    package func open() {
        unsafe word.pointee.store(1, ordering: .sequentiallyConsistent)
        _ = unsafe ml_futex_wake_all(address)
    }

    /// Returns when the gate is open: at once when it is already.
    package func wait() {
        while unsafe word.pointee.load(ordering: .acquiring) == 0 {
            _ = unsafe ml_futex_wait(address, 0, Self.longestWait)
        }
    }

    /// Returns when the gate is open or the time is over; whether it is open.
    package func wait(milliseconds: Int) -> Bool {
        let end = Clock.monotonicNanoseconds() + Int64(milliseconds) * 1_000_000
        while unsafe word.pointee.load(ordering: .acquiring) == 0 {
            let left = end - Clock.monotonicNanoseconds()
            guard left > 0 else { return false }
            _ = unsafe ml_futex_wait(address, 0, min(left, Self.longestWait))
        }
        return true
    }

    private var address: UnsafePointer<UInt32> {
        unsafe UnsafePointer(UnsafeRawPointer(word).assumingMemoryBound(to: UInt32.self))
    }
}
