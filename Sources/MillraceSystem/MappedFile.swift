internal import CMillraceKernels
internal import Glibc

/// A file's bytes in memory, shared with every process that maps the same file.
///
/// **Alignment**: the first byte is page-aligned. **Thread-safety**: `bytes` may be read from any
/// thread; words that change under readers are reached through `word(at:)` alone.
@safe public struct MappedFile: ~Copyable, @unchecked Sendable {
    // Sendable: the mapping is plain memory, written only through atomics after creation.
    package let path: String
    /// How many bytes are mapped.
    public let byteCount: Int
    @usableFromInline let address: UnsafeMutableRawPointer
    private let isWritable: Bool

    init(path: String, address: UnsafeMutableRawPointer, byteCount: Int, isWritable: Bool) {
        self.path = path
        self.isWritable = isWritable
        self.byteCount = byteCount
        unsafe self.address = address
    }

    /// No file and no bytes, for who has not opened one yet.
    package init() {
        path = ""
        byteCount = 0
        isWritable = false
        unsafe address = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
    }

    deinit {
        if byteCount > 0 {
            unsafe Syscalls.unmap(address, bytes: byteCount)
        } else {
            unsafe address.deallocate()
        }
    }

    /// All mapped bytes.
    public var bytes: RawSpan {
        @inlinable @inline(always)
        @_lifetime(borrow self)
        get {
            // SAFETY: the mapping lives as long as `self`, which the span borrows.
            let span = unsafe RawSpan(
                _unsafeStart: UnsafeRawPointer(address), byteCount: byteCount)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The 64-bit word at byte `offset`, for atomic access.
    @inlinable @inline(always)
    @_lifetime(borrow self)
    public func word(at offset: Int) -> AtomicWord {
        precondition(offset >= 0 && offset % 8 == 0 && offset + 8 <= byteCount)
        // SAFETY: the mapping lives as long as `self`, which the word borrows.
        return unsafe _overrideLifetime(AtomicWord(address: address + offset), borrowing: self)
    }

    /// The two 64-bit words at byte `offset`, for atomic access to both at once.
    @_lifetime(borrow self)
    package func wordPair(at offset: Int) -> AtomicWordPair {
        precondition(offset >= 0 && offset % 16 == 0 && offset + 16 <= byteCount)
        // SAFETY: the mapping lives as long as `self`, which the pair borrows.
        return unsafe _overrideLifetime(AtomicWordPair(address: address + offset), borrowing: self)
    }

    /// The 32-bit word at byte `offset`, for sleeping on a change of it.
    @_lifetime(borrow self)
    package func futex(at offset: Int) -> FutexWord {
        precondition(offset >= 0 && offset % 4 == 0 && offset + 4 <= byteCount)
        // SAFETY: the mapping lives as long as `self`, which the word borrows.
        return unsafe _overrideLifetime(FutexWord(address: address + offset), borrowing: self)
    }

    /// Copies `bytes` to byte `offset` of a mapping that was made writable.
    ///
    /// **Thread-safety**: plain stores; readers learn of them through a word that is stored after
    /// them with `storeReleasing` or `compareExchange`. **Durability**: none before a sync.
    package func write(_ bytes: RawSpan, at offset: Int) {
        precondition(isWritable && offset >= 0 && offset + bytes.byteCount <= byteCount)
        // SAFETY: the range is inside the mapping, which is writable, and does not overlap `bytes`:
        // spans of this mapping are of bytes that do not change.
        unsafe bytes.withUnsafeBytes { source in
            guard let from = source.baseAddress, source.count > 0 else { return }
            let to = unsafe address + offset
            guard DiskObservation.isActive else {
                return unsafe to.copyMemory(from: from, byteCount: source.count)
            }
            _ = unsafe DiskObservation.store(to, count: source.count) {
                unsafe to.copyMemory(from: from, byteCount: source.count)
                return true
            }
        }
    }

    /// Asks for the cache lines of `bytes` bytes from `offset`, which are about to be written, as far
    /// as they are mapped.
    ///
    /// Where a reader on another processor has had them read ahead, storing waits for them otherwise.
    @inline(__always)
    package func prefetchToWrite(at offset: Int, bytes: Int) {
        guard offset >= 0, bytes >= 0, offset + bytes <= byteCount else { return }
        unsafe cm_prefetch_to_write(address + offset, bytes)
    }

    /// Faults in the pages of `bytes` bytes from `offset` of a mapping that was made writable, so
    /// that storing there neither waits nor finds the disk full.
    ///
    /// False where the kernel lacks the means (before Linux 5.14): pages then come at first touch.
    package func populate(from offset: Int, bytes: Int) throws(SystemError) -> Bool {
        precondition(isWritable && offset >= 0 && bytes >= 0 && offset + bytes <= byteCount)
        let start = offset / Self.pageSize * Self.pageSize
        do {
            try unsafe Syscalls.populate(
                address, path, from: start, bytes: offset + bytes - start)
            return true
        } catch {
            guard error.errno == EINVAL else { throw error }
            return false
        }
    }

    /// Lets go of the pages in `bytes` bytes from `offset`: they stay in the page cache and come
    /// back at the next touch.
    package func release(from offset: Int, bytes: Int) {
        precondition(!isWritable && offset >= 0 && bytes >= 0 && offset + bytes <= byteCount)
        let start = (offset + Self.pageSize - 1) / Self.pageSize * Self.pageSize
        let end = (offset + bytes) / Self.pageSize * Self.pageSize
        guard end > start else { return }
        // SAFETY: the range is inside the mapping, of a file, whose bytes do not change by this.
        // Should the kernel refuse, the pages stay.
        _ = unsafe madvise(address + start, end - start, MADV_DONTNEED)
    }

    private static let pageSize = sysconf(Int32(_SC_PAGESIZE))

    /// Makes stores into the first `bytes` bytes durable.
    package func sync(bytes: Int) throws(SystemError) {
        try unsafe Syscalls.syncMap(address, path, bytes: bytes)
    }
}
