internal import Glibc
internal import Synchronization

/// A file's bytes in memory, shared with every process that maps the same file.
///
/// **Alignment**: the first byte is page-aligned. **Thread-safety**: `bytes` may be read from any
/// thread; words that change under readers are reached through `word(at:)` alone.
@safe package struct MappedFile: ~Copyable, @unchecked Sendable {
    // Sendable: the mapping is plain memory, written only through atomics after creation.
    package let path: String
    package let byteCount: Int
    private let address: UnsafeMutableRawPointer

    init(path: String, address: UnsafeMutableRawPointer, byteCount: Int) {
        self.path = path
        self.byteCount = byteCount
        unsafe self.address = address
    }

    deinit { unsafe munmap(address, byteCount) }

    /// All mapped bytes.
    package var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            // SAFETY: the mapping lives as long as `self`, which the span borrows.
            let span = unsafe RawSpan(
                _unsafeStart: UnsafeRawPointer(address), byteCount: byteCount)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The 64-bit word at byte `offset`, for atomic access.
    @_lifetime(borrow self)
    package func word(at offset: Int) -> AtomicWord {
        precondition(offset >= 0 && offset % 8 == 0 && offset + 8 <= byteCount)
        // SAFETY: the mapping lives as long as `self`, which the word borrows.
        return unsafe _overrideLifetime(AtomicWord(address: address + offset), borrowing: self)
    }

    /// The 32-bit word at byte `offset`, for sleeping on a change of it.
    @_lifetime(borrow self)
    package func futex(at offset: Int) -> FutexWord {
        precondition(offset >= 0 && offset % 4 == 0 && offset + 4 <= byteCount)
        // SAFETY: the mapping lives as long as `self`, which the word borrows.
        return unsafe _overrideLifetime(FutexWord(address: address + offset), borrowing: self)
    }

    /// Makes stores into the first `bytes` bytes durable.
    package func sync(bytes: Int) throws(SystemError) {
        _ = try Syscalls.call("msync", path) { Int(unsafe msync(address, bytes, MS_SYNC)) }
    }
}

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

    @inline(always)
    package func storeReleasing(_ value: UInt64) {
        unsafe pointer.pointee.store(value, ordering: .releasing)
    }

    /// Replaces `expected` by `desired` in one step.
    ///
    /// False, and nothing stored, when another value was there. Sequentially consistent, so that a look for waiters comes after it.
    @inline(always)
    package func compareExchange(expected: UInt64, desired: UInt64) -> Bool {
        unsafe pointer.pointee.compareExchange(
            expected: expected, desired: desired, ordering: .sequentiallyConsistent
        ).exchanged
    }

    /// Raises the word to `value`; leaves it when it is there or above already.
    package func raise(to value: UInt64) {
        var seen = loadAcquiring()
        while seen < value, !compareExchange(expected: seen, desired: value) {
            seen = loadAcquiring()
        }
    }

    @inline(always) @discardableResult
    package func add(_ value: UInt64) -> UInt64 {
        unsafe pointer.pointee.wrappingAdd(value, ordering: .sequentiallyConsistent).newValue
    }
}
