public import Synchronization

/// A 64-bit word in a mapped file, which it cannot outlive.
///
/// Public so that every access is inlined where it is used, which `package` functions never are: a
/// writer makes several an append.
@safe public struct AtomicWord: ~Escapable, @unchecked Sendable {
    // Sendable: every access is atomic.
    @usableFromInline let pointer: UnsafeMutablePointer<Atomic<UInt64>>

    @inlinable @inline(always)
    @_lifetime(borrow address)
    init(address: UnsafeMutableRawPointer) {
        unsafe pointer = address.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Reads the word; what its writer stored before `storeReleasing` is visible afterwards.
    @inlinable @inline(always)
    public func loadAcquiring() -> UInt64 { unsafe pointer.pointee.load(ordering: .acquiring) }

    /// Reads the word alone: nothing follows from it for other memory.
    @inlinable @inline(always)
    public func loadRelaxed() -> UInt64 { unsafe pointer.pointee.load(ordering: .relaxed) }

    /// Stores the word; pairs with `loadAcquiring`.
    @inlinable @inline(always)
    public func storeReleasing(_ value: UInt64) {
        let pointer = unsafe pointer
        unsafe Self.store(pointer) { unsafe pointer.pointee.store(value, ordering: .releasing) }
    }

    /// Stores the word without order towards other memory, for counters that say only "alive".
    @inlinable @inline(always)
    public func storeRelaxed(_ value: UInt64) {
        let pointer = unsafe pointer
        unsafe Self.store(pointer) { unsafe pointer.pointee.store(value, ordering: .relaxed) }
    }

    /// Replaces `expected` by `desired` in one step.
    ///
    /// False, and nothing stored, when another value was there. Sequentially consistent, so that
    /// a look for waiters comes after it.
    @inlinable @inline(always)
    public func compareExchange(expected: UInt64, desired: UInt64) -> Bool {
        let pointer = unsafe pointer
        return unsafe Self.storeIf(pointer) {
            unsafe pointer.pointee.compareExchange(
                expected: expected, desired: desired, ordering: .sequentiallyConsistent
            ).exchanged
        }
    }

    /// Stores `value` and returns what was there, in one step; sequentially consistent.
    @inlinable @inline(always)
    public func exchange(_ value: UInt64) -> UInt64 {
        let pointer = unsafe pointer
        var old: UInt64 = 0
        unsafe Self.store(pointer) {
            old = unsafe pointer.pointee.exchange(value, ordering: .sequentiallyConsistent)
        }
        return old
    }

    /// Raises the word to `value`; leaves it when it is there or above already.
    public func raise(to value: UInt64) {
        var seen = loadAcquiring()
        while seen < value, !compareExchange(expected: seen, desired: value) {
            seen = loadAcquiring()
        }
    }

    /// Adds to the word and returns its new value; sequentially consistent.
    @inlinable @inline(always) @discardableResult
    public func add(_ value: UInt64) -> UInt64 {
        let pointer = unsafe pointer
        var new: UInt64 = 0
        unsafe Self.store(pointer) {
            new = unsafe pointer.pointee.wrappingAdd(
                value, ordering: .sequentiallyConsistent
            ).newValue
        }
        return new
    }

    /// Performs a store and shows it to observers.
    @inlinable @inline(always)
    static func store(_ pointer: UnsafeMutablePointer<Atomic<UInt64>>, _ body: () -> Void) {
        _ = unsafe storeIf(pointer) {
            body()
            return true
        }
    }

    /// Performs what may be a store and shows it to observers when it was one.
    @inlinable @inline(always)
    static func storeIf(
        _ pointer: UnsafeMutablePointer<Atomic<UInt64>>, _ body: () -> Bool
    ) -> Bool {
        DiskObservation.isActive
            ? unsafe DiskObservation.store(UnsafeRawPointer(pointer), count: 8, body) : body()
    }
}
