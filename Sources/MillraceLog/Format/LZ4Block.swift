internal import CLZ4
internal import MillraceSystem

/// LZ4's block format, always bounds-checked.
///
/// Sizes are known from the batch header.
///
/// - Source: https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
enum LZ4Block {
    /// Largest compressed size of `byteCount` bytes.
    static func bound(_ byteCount: Int) -> Int { Int(LZ4_compressBound(Int32(byteCount))) }

    /// Compresses `source` into `target`; nil when it does not fit.
    static func compress(
        _ source: RawSpan, into target: inout MutableRawSpan, level: Int
    ) -> Int? {
        // SAFETY: both pointers are used only inside the closures, with their true lengths.
        let written = unsafe source.withUnsafeBytes { from in
            unsafe target.withUnsafeMutableBytes { to -> Int32 in
                let input = unsafe from.baseAddress?.assumingMemoryBound(to: CChar.self)
                let output = unsafe to.baseAddress?.assumingMemoryBound(to: CChar.self)
                return level < 3
                    ? unsafe LZ4_compress_default(
                        input, output, Int32(from.count), Int32(to.count))
                    : unsafe LZ4_compress_HC(
                        input, output, Int32(from.count), Int32(to.count), Int32(level))
            }
        }
        return written > 0 ? Int(written) : nil
    }

    /// Decodes `source` into `target`; nil unless it is a block of exactly that decoded size.
    static func decompress(_ source: RawSpan, into target: inout MutableRawSpan) -> Int? {
        // SAFETY: both pointers are used only inside the closures, with their true lengths.
        let written = unsafe source.withUnsafeBytes { from in
            unsafe target.withUnsafeMutableBytes { to -> Int32 in
                unsafe LZ4_decompress_safe(
                    from.baseAddress?.assumingMemoryBound(to: CChar.self),
                    to.baseAddress?.assumingMemoryBound(to: CChar.self),
                    Int32(from.count), Int32(to.count))
            }
        }
        return Int(written) == target.byteCount ? Int(written) : nil
    }
}
