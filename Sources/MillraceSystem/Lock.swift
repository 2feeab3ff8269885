internal import CMillraceLinux
internal import Synchronization

/// A value that one thread at a time may touch: `Mutex`, made known to the thread sanitizer.
///
/// Who waits for a `Mutex` takes it inside the Swift library, which is not built with the sanitizer:
/// that then misses the order, and reports races that are none. Here it is told. In other builds the
/// calls that tell it do nothing.
/// **Thread-safety**: any threads; not recursive.
@safe
package struct Lock<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    // Sendable: `name` is an address that nothing is read or written through.

    private let mutex: Mutex<Value>
    /// What the sanitizer knows the lock by. The value's own address will not do: forming it counts
    /// as touching the value.
    private let name: UnsafeMutableRawPointer

    /// A free lock around `value`.
    package init(_ value: consuming sending Value) {
        mutex = Mutex(value)
        unsafe name = .allocate(byteCount: 1, alignment: 1)
    }

    deinit { unsafe name.deallocate() }

    /// Takes the lock, waiting as long as it must, and gives it back after `body`.
    @inline(__always)
    package borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try mutex.withLock { (value: inout sending Value) throws(Failure) in
            unsafe ml_lock_taken(name)
            defer { unsafe ml_lock_given_back(name) }
            return try body(&value)
        }
    }
}
