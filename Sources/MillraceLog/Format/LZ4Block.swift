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

/// A compressor of LZ4 blocks that keeps its tables from block to block.
///
/// **Thread-safety**: one owner.
struct LZ4Compressor: ~Copyable {
    /// 0 to 2 the fast compressor, 3 to 12 the high-compression one.
    let level: Int
    private var state: AlignedBuffer

    init(level: Int) {
        self.level = level
        state = AlignedBuffer(
            byteCount: Int(level < 3 ? LZ4_sizeofState() : LZ4_sizeofStateHC()))
    }

    /// Compresses `source` into `target`; nil when it does not fit.
    mutating func compress(_ source: RawSpan, into target: inout MutableRawSpan) -> Int? {
        let level = level
        var memory = state.mutableBytes
        // SAFETY: the pointers are used only inside the closures, with their true lengths; the
        // state is as large as the library asks for, and aligned to 64 bytes.
        let written = unsafe memory.withUnsafeMutableBytes { state in
            unsafe source.withUnsafeBytes { from in
                unsafe target.withUnsafeMutableBytes { to -> Int32 in
                    let input = unsafe from.baseAddress?.assumingMemoryBound(to: CChar.self)
                    let output = unsafe to.baseAddress?.assumingMemoryBound(to: CChar.self)
                    let sizes = (Int32(from.count), Int32(to.count))
                    return level < 3
                        ? unsafe LZ4_compress_fast_extState(
                            state.baseAddress, input, output, sizes.0, sizes.1, 1)
                        : unsafe LZ4_compress_HC_extStateHC(
                            state.baseAddress, input, output, sizes.0, sizes.1, Int32(level))
                }
            }
        }
        return written > 0 ? Int(written) : nil
    }
}
