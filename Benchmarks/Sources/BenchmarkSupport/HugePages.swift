internal import Glibc

/// Numbers on huge pages, where the system has any, as numpy's large arrays are: with small ones a
/// table of addresses is looked up for every 4 KiB that are read.
@safe public final class HugePages {
    // @safe: initialised as long as it is there, and freed with this.
    private let memory: UnsafeMutableBufferPointer<Float>

    private static let pageBytes = 2 << 20

    /// A copy of some numbers.
    public init(_ numbers: [Float]) {
        let bytes = numbers.count * MemoryLayout<Float>.stride
        let place = UnsafeMutableRawPointer.allocate(
            byteCount: bytes, alignment: Self.pageBytes)
        // Advice: where it is not followed, pages are small.
        _ = unsafe madvise(place, bytes, MADV_HUGEPAGE)
        let first = unsafe place.bindMemory(to: Float.self, capacity: numbers.count)
        unsafe memory = UnsafeMutableBufferPointer(start: first, count: numbers.count)
        _ = unsafe memory.initialize(from: numbers)
    }

    deinit { unsafe memory.deallocate() }

    /// The numbers.
    public var span: Span<Float> {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(memory.span, borrowing: self) }
    }
}
