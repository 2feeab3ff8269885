internal import Synchronization

/// A 64-bit word in a mapped file, which it cannot outlive.
@safe package struct AtomicWord: ~Escapable, @unchecked Sendable {
    // Sendable: every access is atomic.
    private let pointer: UnsafeMutablePointer<Atomic<UInt64>>

    @_lifetime(borrow address)
    init(address: UnsafeMutableRawPointer) {
        unsafe pointer = address.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Reads the word; what its writer stored before `storeReleasing` is visible afterwards.
    @inline(always)
    package func loadAcquiring() -> UInt64 { unsafe pointer.pointee.load(ordering: .acquiring) }

    /// Reads the word alone: nothing follows from it for other memory.
    @inline(always)
    package func loadRelaxed() -> UInt64 { unsafe pointer.pointee.load(ordering: .relaxed) }

    /// Stores the word; pairs with `loadAcquiring`.
    @inline(always)
    package func storeReleasing(_ value: UInt64) {
        let pointer = unsafe pointer
        unsafe Self.store(pointer) { unsafe pointer.pointee.store(value, ordering: .releasing) }
    }

    /// Stores the word without order towards other memory, for counters that say only "alive".
    @inline(always)
    package func storeRelaxed(_ value: UInt64) {
        let pointer = unsafe pointer
        unsafe Self.store(pointer) { unsafe pointer.pointee.store(value, ordering: .relaxed) }
    }

    /// Replaces `expected` by `desired` in one step.
    ///
    /// False, and nothing stored, when another value was there. Sequentially consistent, so that
    /// a look for waiters comes after it.
    @inline(always)
    package func compareExchange(expected: UInt64, desired: UInt64) -> Bool {
        let pointer = unsafe pointer
        return unsafe Self.storeIf(pointer) {
            unsafe pointer.pointee.compareExchange(
                expected: expected, desired: desired, ordering: .sequentiallyConsistent
            ).exchanged
        }
    }

    /// Stores `value` and returns what was there, in one step; sequentially consistent.
    @inline(always)
    package func exchange(_ value: UInt64) -> UInt64 {
        let pointer = unsafe pointer
        var old: UInt64 = 0
        unsafe Self.store(pointer) {
            old = unsafe pointer.pointee.exchange(value, ordering: .sequentiallyConsistent)
        }
        return old
    }

    /// Raises the word to `value`; leaves it when it is there or above already.
    package func raise(to value: UInt64) {
        var seen = loadAcquiring()
        while seen < value, !compareExchange(expected: seen, desired: value) {
            seen = loadAcquiring()
        }
    }

    /// Adds to the word and returns its new value; sequentially consistent.
    @inline(always) @discardableResult
    package func add(_ value: UInt64) -> UInt64 {
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
    @inline(always)
    private static func store(_ pointer: UnsafeMutablePointer<Atomic<UInt64>>, _ body: () -> Void) {
        _ = unsafe storeIf(pointer) {
            body()
            return true
        }
    }

    /// Performs what may be a store and shows it to observers when it was one.
    @inline(always)
    private static func storeIf(
        _ pointer: UnsafeMutablePointer<Atomic<UInt64>>, _ body: () -> Bool
    ) -> Bool {
        DiskObservation.isActive
            ? unsafe DiskObservation.store(UnsafeRawPointer(pointer), count: 8, body) : body()
    }
}
