internal import CMillraceKernels

/// Byte-stream split by vector instructions: stream k holds byte k of every element.
///
/// Bytes are only moved: every set gives the same. **Thread-safety**: any thread.
///
/// - Source: Apache Parquet, Encodings.md, "Byte Stream Split".
@safe package struct SplitKernels: @unchecked Sendable {
    // Sendable: the table is constant.
    private let set: UnsafePointer<cm_split_set>

    private init(_ set: UnsafePointer<cm_split_set>) { unsafe self.set = set }

    /// The fastest set of this processor.
    package static let best = unsafe SplitKernels(cm_split_best())

    /// The sets that this processor can run, the portable one first.
    package static var all: [SplitKernels] {
        let sets = unsafe [cm_split_portable(), cm_split_avx2(), cm_split_avx512()]
        return unsafe sets.compactMap { unsafe $0.map { unsafe SplitKernels($0) } }
    }

    /// What the set is called.
    package var name: String { unsafe String(cString: set.pointee.name) }

    /// Splits elements of `width` bytes (2 or 4) into as many streams, one behind the other.
    ///
    /// `source` is a whole number of elements; traps when `target` has not room for them all.
    package func split(_ source: RawSpan, into target: inout MutableRawSpan, width: Int) {
        let count = Self.elements(source.byteCount, target.byteCount, width)
        // SAFETY: both pointers are used only inside the closures; `count` elements lie in both.
        unsafe source.withUnsafeBytes { from in
            unsafe target.withUnsafeMutableBytes { to in
                unsafe set.pointee.split(
                    from.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    to.baseAddress?.assumingMemoryBound(to: UInt8.self), count, width)
            }
        }
    }

    /// Undoes `split`.
    package func unsplit(_ source: RawSpan, into target: inout MutableRawSpan, width: Int) {
        let count = Self.elements(source.byteCount, target.byteCount, width)
        // SAFETY: both pointers are used only inside the closures; `count` elements lie in both.
        unsafe source.withUnsafeBytes { from in
            unsafe target.withUnsafeMutableBytes { to in
                unsafe set.pointee.unsplit(
                    from.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    to.baseAddress?.assumingMemoryBound(to: UInt8.self), count, width)
            }
        }
    }

    private static func elements(_ source: Int, _ target: Int, _ width: Int) -> Int {
        precondition((width == 2 || width == 4) && source % width == 0 && source <= target)
        return source / width
    }
}
