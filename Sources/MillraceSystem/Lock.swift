internal import CMillraceLinux
internal import Synchronization

/// A value that one thread at a time may touch: `Mutex`, made known to the thread sanitizer.
///
/// Who waits for a `Mutex` takes it inside the Swift library, which is not built with the sanitizer:
/// that then misses the order, and reports races that are none. Here it is told. In other builds the
/// calls that tell it are empty.
/// **Thread-safety**: any threads; not recursive.
package struct Lock<Value: ~Copyable>: ~Copyable, Sendable {
    private let mutex: Mutex<Value>

    /// A free lock around `value`.
    package init(_ value: consuming sending Value) { mutex = Mutex(value) }

    /// Takes the lock, waiting as long as it must, and gives it back after `body`.
    @inline(__always)
    package borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try mutex.withLock { (value: inout sending Value) throws(Failure) in
            // SAFETY: the address is a name for the lock; nothing is read through it.
            let name = unsafe withUnsafePointer(to: &value) { unsafe UnsafeRawPointer($0) }
            unsafe ml_lock_taken(name)
            defer { unsafe ml_lock_given_back(name) }
            return try body(&value)
        }
    }
}
