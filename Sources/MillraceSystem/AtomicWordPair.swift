internal import Synchronization

/// Two neighbouring 64-bit words in a mapped file that are replaced together.
///
/// Both are read by plain atomic loads, so that a mapping that may only be read will do. The first
/// word must never return to a value that it had: then a pair whose first word is the same before
/// and after is one that stood there together.
@safe package struct AtomicWordPair: ~Escapable, @unchecked Sendable {
    // Sendable: every access is atomic.
    private let pair: UnsafeMutablePointer<Atomic<WordPair>>
    private let words: UnsafeMutablePointer<Atomic<UInt64>>

    @_lifetime(borrow address)
    init(address: UnsafeMutableRawPointer) {
        unsafe pair = address.assumingMemoryBound(to: Atomic<WordPair>.self)
        unsafe words = address.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// The two words as they stood together.
    @inline(always)
    package func loadAcquiring() -> (first: UInt64, second: UInt64) {
        while true {
            let first = unsafe words.pointee.load(ordering: .acquiring)
            let second = unsafe (words + 1).pointee.load(ordering: .acquiring)
            if unsafe words.pointee.load(ordering: .acquiring) == first { return (first, second) }
        }
    }

    /// Replaces both words in one step.
    ///
    /// False, and nothing stored, when others were there. Sequentially consistent.
    @inline(always)
    package func compareExchange(
        expected: (first: UInt64, second: UInt64), desired: (first: UInt64, second: UInt64)
    ) -> Bool {
        let pair = unsafe pair
        let body = {
            unsafe pair.pointee.compareExchange(
                expected: WordPair(first: UInt(expected.first), second: UInt(expected.second)),
                desired: WordPair(first: UInt(desired.first), second: UInt(desired.second)),
                ordering: .sequentiallyConsistent
            ).exchanged
        }
        guard DiskObservation.isActive else { return body() }
        return unsafe DiskObservation.store(UnsafeRawPointer(pair), count: 16, body)
    }
}
