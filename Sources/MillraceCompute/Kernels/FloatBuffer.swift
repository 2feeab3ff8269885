/// A fixed number of floats, aligned to a cache line, zero at first.
///
/// **Alignment**: 64 bytes. **Thread-safety**: one owner; shared only while nobody writes.
@safe package struct FloatBuffer: ~Copyable, @unchecked Sendable {
    // Sendable: the buffer owns its memory alone, and writing needs `mutating` access.
    private let memory: UnsafeMutableBufferPointer<Float>

    package init(count: Int) {
        precondition(count >= 0, "a buffer cannot have fewer than no elements")
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: max(count, 16) * MemoryLayout<Float>.stride, alignment: 64)
        let start = unsafe bytes.initializeMemory(as: Float.self, repeating: 0, count: count)
        unsafe memory = UnsafeMutableBufferPointer(start: start, count: count)
    }

    deinit { unsafe UnsafeMutableRawPointer(mutating: base).deallocate() }

    package var count: Int { unsafe memory.count }

    /// Where the floats are; valid as long as the buffer lives.
    var base: UnsafeMutablePointer<Float> {
        // SAFETY: `init` allocates at least one cache line, so the address is never nil.
        unsafe memory.baseAddress.unsafelyUnwrapped
    }

    package var floats: Span<Float> {
        @_lifetime(borrow self)
        get {
            // SAFETY: the memory lives as long as `self`, which the span borrows.
            let span = unsafe Span(_unsafeElements: memory)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    package var mutableFloats: MutableSpan<Float> {
        @_lifetime(&self)
        mutating get {
            // SAFETY: the memory lives as long as `self`, which the span borrows exclusively.
            let span = unsafe MutableSpan(_unsafeElements: memory)
            return unsafe _overrideLifetime(span, mutating: &self)
        }
    }
}
