/// Fields of the on-disk format are little-endian at fixed byte offsets.
extension RawSpan {
    /// The integer at byte `offset`.
    ///
    /// Traps outside the span: callers check lengths first.
    @inline(always)
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: T.Type = T.self) -> T
    {
        // SAFETY: integers have no invalid bit patterns; the load is bounds-checked and unaligned.
        T(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }
}

extension MutableRawSpan {
    /// Stores `value` at byte `offset`.
    ///
    /// Traps outside the span.
    @inline(always)
    @_lifetime(self: copy self)
    mutating func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }
}

/// `value` rounded up to a multiple of 64, the alignment of everything in a segment.
@inline(always)
func aligned64(_ value: Int) -> Int { (value + 63) & ~63 }
