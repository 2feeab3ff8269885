internal import MillraceSystem

/// The checksum by which text is recognised again.
package enum TextChecksum {
    /// The CRC-32C of `text`, continuing from `seed`.
    ///
    /// - Complexity: O(text).
    package static func crc32c(_ text: Span<UInt8>, seed: UInt32 = 0) -> UInt32 {
        // SAFETY: bytes have no padding.
        CRC32C.checksum(unsafe text.bytes, seed: seed)
    }
}
