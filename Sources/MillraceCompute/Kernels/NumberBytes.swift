/// The bytes of numbers as they lie in memory: little-endian on every processor that is supported.
package enum NumberBytes {
    /// Appends the bytes of `values`.
    ///
    /// - Complexity: O(values), one copy.
    package static func append(_ values: [Float], to bytes: inout [UInt8]) {
        unsafe append(raw: values, to: &bytes)
    }

    /// Appends the bytes of `values`.
    package static func append(_ values: [Double], to bytes: inout [UInt8]) {
        unsafe append(raw: values, to: &bytes)
    }

    /// Appends the bytes of `values`.
    package static func append(_ values: [UInt64], to bytes: inout [UInt8]) {
        unsafe append(raw: values, to: &bytes)
    }

    /// The numbers whose bytes lie in `range` of `bytes`, at any alignment.
    ///
    /// - Complexity: O(values), one copy.
    package static func floats(_ bytes: Span<UInt8>, in range: Range<Int>) -> [Float] {
        let size = MemoryLayout<Float>.stride
        precondition(range.count % size == 0, "whole numbers")
        let source = bytes.extracting(range)
        return unsafe [Float](unsafeUninitializedCapacity: range.count / size) { target, count in
            // SAFETY: the target has room for as many bytes as the source has, and any bits are a
            // number.
            unsafe source.withUnsafeBytes {
                unsafe UnsafeMutableRawBufferPointer(target).copyMemory(from: $0)
            }
            count = range.count / size
        }
    }

    /// For numbers that have no padding.
    @unsafe private static func append<Number: BitwiseCopyable>(
        raw values: [Number], to bytes: inout [UInt8]
    ) {
        // SAFETY: the caller's numbers have no padding; the buffer is only read in the closure.
        unsafe values.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }
}
