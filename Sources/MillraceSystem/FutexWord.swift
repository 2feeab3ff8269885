internal import CMillraceLinux
internal import Synchronization

/// A 32-bit word in a mapped file on which threads of any process can sleep until it changes.
///
/// It cannot outlive the mapping.
@safe package struct FutexWord: ~Escapable, @unchecked Sendable {
    // Sendable: every access is atomic.
    private let pointer: UnsafeMutableRawPointer

    @_lifetime(borrow address)
    init(address: UnsafeMutableRawPointer) { unsafe pointer = address }

    private var atomic: UnsafeMutablePointer<Atomic<UInt32>> {
        unsafe pointer.assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    package func load() -> UInt32 { unsafe atomic.pointee.load(ordering: .sequentiallyConsistent) }

    /// Changes the word and wakes every sleeper.
    package func advanceAndWake() {
        let atomic = unsafe atomic
        func advance() { unsafe atomic.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent) }
        if DiskObservation.isActive {
            _ = unsafe DiskObservation.store(pointer, count: 4) {
                advance()
                return true
            }
        } else {
            advance()
        }
        _ = unsafe ml_futex_wake_all(UnsafePointer(pointer.assumingMemoryBound(to: UInt32.self)))
    }

    /// Sleeps while the word is `value`, for at most `nanoseconds`: a writer can die between its
    /// change and its wake-up, so no wait is without bound.
    package func wait(while value: UInt32, nanoseconds: Int64) {
        _ = unsafe ml_futex_wait(
            UnsafePointer(pointer.assumingMemoryBound(to: UInt32.self)), value, nanoseconds)
    }
}
