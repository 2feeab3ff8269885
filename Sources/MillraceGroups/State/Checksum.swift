internal import MillraceSystem

/// CRC-32C over bytes that are already a span of bytes.
enum Checksum {
    /// The checksum of `bytes`.
    static func of(_ bytes: Span<UInt8>) -> UInt32 {
        // SAFETY: every byte of a `UInt8` is initialised; there is no padding.
        unsafe CRC32C.checksum(bytes.bytes)
    }
}
