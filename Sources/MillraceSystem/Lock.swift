internal import Glibc

/// A value that one thread at a time may touch.
///
/// A mutex of the C library and not `Synchronization.Mutex`: who waits for that takes it inside the
/// Swift library, where the thread sanitizer does not see it, and races are reported that are none.
/// **Thread-safety**: any threads; not recursive.
@safe
package final class Lock<Value: ~Copyable>: @unchecked Sendable {
    // Sendable: the value is touched under the mutex only.

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let value: UnsafeMutablePointer<Value>

    /// A free lock around `value`.
    package init(_ value: consuming sending Value) {
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
        unsafe self.value = .allocate(capacity: 1)
        unsafe self.value.initialize(to: value)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
        unsafe value.deinitialize(count: 1)
        unsafe value.deallocate()
    }

    /// Takes the lock, waiting as long as it must, and gives it back after `body`.
    package func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try unsafe body(&value.pointee)
    }
}
