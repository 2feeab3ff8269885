/// Moving sections of a payload into place.
extension MutableRawSpan {
    /// Copies integers or floats to byte `offset`, in the machine's order: little-endian on every
    /// machine that Millrace runs on.
    @_lifetime(self: copy self)
    mutating func copy<T: BitwiseCopyable>(_ values: [T], at offset: Int) {
        guard !values.isEmpty else { return }
        let size = values.count * MemoryLayout<T>.stride
        precondition(offset + size <= byteCount)
        // SAFETY: the range was checked; the source is an array of plain values.
        unsafe withUnsafeMutableBytes { target in
            unsafe values.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + size])
                    .copyMemory(from: source)
            }
        }
    }

    /// Copies bytes to byte `offset`.
    @_lifetime(self: copy self)
    mutating func copy(_ bytes: RawSpan, at offset: Int) {
        guard !bytes.isEmpty else { return }
        precondition(offset >= 0 && offset + bytes.byteCount <= byteCount)
        // SAFETY: the range was checked.
        unsafe withUnsafeMutableBytes { target in
            unsafe bytes.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(
                    rebasing: target[offset..<offset + source.count]
                ).copyMemory(from: source)
            }
        }
    }

    /// Zeroes bytes `start ..< end`.
    @_lifetime(self: copy self)
    mutating func zero(_ start: Int, to end: Int) {
        guard end > start else { return }
        precondition(end <= byteCount)
        // SAFETY: the range was checked.
        _ = unsafe withUnsafeMutableBytes {
            unsafe UnsafeMutableRawBufferPointer(rebasing: $0[start..<end])
                .initializeMemory(as: UInt8.self, repeating: 0)
        }
    }
}

extension MutableSpan where Element == Float {
    /// Fills the span with float32 values in the machine's order; they are as many.
    @_lifetime(self: copy self)
    mutating func copy(_ values: RawSpan) {
        precondition(values.byteCount == count * 4)
        // SAFETY: the sizes were compared; every bit pattern is a float.
        unsafe withUnsafeMutableBytes { target in
            unsafe values.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
        }
    }
}

extension RawSpan {
    /// The bytes as plain values.
    ///
    /// Traps when they are not aligned for `T`.
    @_lifetime(copy self)
    func elements<T: BitwiseCopyable>(_ range: Range<Int>, as type: T.Type) -> Span<T> {
        let section = extracting(range)
        // SAFETY: `T` is a float or a byte, of which every bit pattern is valid; the span keeps the
        // lifetime of the bytes.
        let memory = unsafe section.withUnsafeBytes { unsafe $0 }
        let span = unsafe Span<T>(_unsafeBytes: memory)
        return unsafe _overrideLifetime(span, copying: self)
    }
}
