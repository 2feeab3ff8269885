internal import CMillraceKernels

/// CRC-32C (Castagnoli), by carry-less multiplication where the processor has it.
///
/// - Source: RFC 3720, appendix B.4. Check value: `"123456789"` gives `0xE3069283`.
package enum CRC32C {
    /// The checksum of `bytes`, continuing from `seed`.
    ///
    /// - Complexity: O(bytes).
    package static func checksum(_ bytes: RawSpan, seed: UInt32 = 0) -> UInt32 {
        // SAFETY: the pointer is used only inside the closure, with its true length.
        unsafe bytes.withUnsafeBytes { unsafe cm_crc32c(seed, $0.baseAddress, $0.count) }
    }

    /// The checksum of `bytes`, continuing from `seed`.
    ///
    /// - Complexity: O(bytes).
    package static func checksum(of bytes: Span<UInt8>, seed: UInt32 = 0) -> UInt32 {
        // SAFETY: every byte of a span of bytes is initialised; there is no padding.
        checksum(unsafe bytes.bytes, seed: seed)
    }
}
