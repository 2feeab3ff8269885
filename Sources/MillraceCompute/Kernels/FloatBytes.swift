/// Floats as the bytes that they have in a file: little-endian, as on every platform there is.
package enum FloatBytes {
    /// Appends the bytes of `values`.
    ///
    /// - Complexity: O(values), one copy.
    package static func append(_ values: [Float], to bytes: inout [UInt8]) {
        // SAFETY: floats have no padding, and the buffer is only read within the closure.
        unsafe values.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }
}
