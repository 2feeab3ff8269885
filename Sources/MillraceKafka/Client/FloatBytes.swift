/// Float32 numbers as records hold them: little-endian, wherever they begin.
package enum FloatBytes {
    /// Copies as many numbers as `target` has.
    static func copy(_ bytes: Span<UInt8>, into target: inout MutableSpan<Float>) {
        let count = target.count
        precondition(bytes.count == 4 * count, "four bytes for each number")
        // SAFETY: both have the same number of bytes; every machine that Millrace runs on keeps
        // numbers as records do, and any bits are a float.
        unsafe target.withUnsafeMutableBytes { target in
            unsafe bytes.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
        }
    }

    /// Copies as many numbers as `target` has.
    static func copy(_ bytes: RawSpan, into target: inout MutableSpan<Float>) {
        let count = target.count
        precondition(bytes.byteCount == 4 * count, "four bytes for each number")
        // SAFETY: as above.
        unsafe target.withUnsafeMutableBytes { target in
            unsafe bytes.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
        }
    }

    /// Appends numbers to `bytes`.
    package static func append(_ numbers: Span<Float>, to bytes: inout [UInt8]) {
        // SAFETY: as above; the numbers have no padding.
        unsafe numbers.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }
}
