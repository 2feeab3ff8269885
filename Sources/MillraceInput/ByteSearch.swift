internal import Glibc

/// Looks for single bytes in text, at the speed of the C library.
enum ByteSearch {
    /// The index in `bytes` of the first `byte` within `range`.
    static func firstIndex(
        of byte: UInt8, in bytes: borrowing Span<UInt8>, _ range: Range<Int>
    ) -> Int? {
        unsafe bytes.extracting(range).withUnsafeBytes { text -> Int? in
            guard let start = text.baseAddress else { return nil }
            // SAFETY: the search stays within the span, which outlives the closure.
            guard let found = unsafe memchr(start, Int32(byte), text.count) else { return nil }
            let distance = unsafe UnsafeRawPointer(found) - start
            return range.lowerBound + distance
        }
    }
}
