internal import Glibc

/// Reusable memory, aligned to a cache line, that grows and never shrinks.
///
/// It is touched first by the thread that makes or grows it, and so lies in the memory of that
/// thread's processor. From the size of a huge page on it is aligned to one, and the kernel is
/// asked for such; where it has none, ordinary pages serve.
/// **Alignment**: 64 bytes, from 2 MiB on 2 MiB. **Thread-safety**: one owner.
@safe package struct AlignedBuffer: ~Copyable, @unchecked Sendable {
    // Sendable: the buffer owns its memory alone.
    private var memory: UnsafeMutableRawBufferPointer

    package init(byteCount: Int = 0) { unsafe memory = Self.allocate(byteCount) }

    deinit { unsafe memory.deallocate() }

    package var byteCount: Int { unsafe memory.count }

    private static let hugePage = 2 << 20

    private static func allocate(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
        let isHuge = byteCount >= hugePage
        let unit = isHuge ? hugePage : 64
        let rounded = isHuge ? (byteCount + unit - 1) / unit * unit : max(byteCount, 64)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: rounded, alignment: unit)
        // Before the first touch; a kernel that has no huge pages refuses, which changes nothing.
        if isHuge { _ = unsafe madvise(memory.baseAddress, memory.count, MADV_HUGEPAGE) }
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        return unsafe memory
    }

    /// Makes room for `byteCount` bytes; keeps the first `keeping` bytes.
    package mutating func reserve(_ byteCount: Int, keeping: Int = 0) {
        guard byteCount > self.byteCount else { return }
        precondition(keeping <= self.byteCount, "there are no more bytes to keep")
        let larger = unsafe Self.allocate(max(byteCount, self.byteCount * 3 / 2))
        unsafe larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<keeping]))
        unsafe memory.deallocate()
        unsafe memory = larger
    }

    package var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            // SAFETY: the memory lives as long as `self`, which the span borrows.
            let span = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(memory))
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    package var mutableBytes: MutableRawSpan {
        @_lifetime(&self)
        mutating get {
            // SAFETY: the memory lives as long as `self`, which the span borrows exclusively.
            let span = unsafe MutableRawSpan(_unsafeBytes: memory)
            return unsafe _overrideLifetime(span, mutating: &self)
        }
    }

    /// The `count` floats that begin at byte `offset`, a multiple of 4.
    @_lifetime(&self)
    package mutating func floats(at offset: Int, count: Int) -> MutableSpan<Float> {
        precondition(offset >= 0 && offset % 4 == 0 && count >= 0)
        // SAFETY: the slice is bounds-checked; the memory was initialised, is aligned for floats,
        // and lives as long as `self`, which the span borrows exclusively.
        let part = unsafe UnsafeMutableRawBufferPointer(
            rebasing: memory[offset..<offset + count * 4])
        let span = unsafe MutableSpan<Float>(_unsafeBytes: part)
        return unsafe _overrideLifetime(span, mutating: &self)
    }
}
