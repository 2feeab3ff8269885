internal import CMillraceKernels

/// Element types narrower than float32, numbered as in the log's batch header.
package enum NarrowElement: Int32, Sendable, CaseIterable {
    case float16 = 2
    case bfloat16 = 3
    case uint8 = 4
    case int8 = 5

    package var byteCount: Int { self == .float16 || self == .bfloat16 ? 2 : 1 }
}

/// Conversion between float32 and narrow elements, by vector instructions.
///
/// Every set gives the same bits. **Thread-safety**: any thread.
@safe package struct ElementKernels: @unchecked Sendable {
    // Sendable: the table is constant.
    private let set: UnsafePointer<cm_widen_set>

    private init(_ set: UnsafePointer<cm_widen_set>) { unsafe self.set = set }

    /// The fastest set of this processor.
    package static let best = unsafe ElementKernels(cm_widen_best())

    /// The sets that this processor can run, the portable one first.
    package static var all: [ElementKernels] {
        let sets = unsafe [cm_widen_portable(), cm_widen_avx2(), cm_widen_avx512()]
        return unsafe sets.compactMap { unsafe $0.map { unsafe ElementKernels($0) } }
    }

    /// What the set is called.
    package var name: String { unsafe String(cString: set.pointee.name) }

    /// Converts the elements of `source` to float32.
    ///
    /// Of integers: `(stored - zeroPoint) * scale`. Traps when `target` has not room for them all.
    package func widen(
        _ type: NarrowElement, _ source: RawSpan, into target: inout MutableSpan<Float>,
        scale: Float = 1, zeroPoint: Int = 0
    ) {
        let count = source.byteCount / type.byteCount
        precondition(count <= target.count)
        // SAFETY: both pointers are used only inside the closures; `count` elements lie in both.
        unsafe source.withUnsafeBytes { from in
            unsafe target.withUnsafeMutableBufferPointer { to in
                guard let first = to.baseAddress else { return }
                unsafe set.pointee.widen(
                    type.rawValue, from.baseAddress, first, count, scale, Int32(zeroPoint))
            }
        }
    }

    /// Rounds float32 elements into `target`; returns the index of the first that an integer cannot
    /// hold (NaN), or nil when all were converted.
    ///
    /// Of integers: `round(x / scale) + zeroPoint`, ties to even, clamped. Traps when `target` has
    /// not room for them all.
    package func narrow(
        _ source: Span<Float>, to type: NarrowElement, into target: inout MutableRawSpan,
        scale: Float = 1, zeroPoint: Int = 0
    ) -> Int? {
        let count = source.count
        precondition(count * type.byteCount <= target.byteCount)
        // SAFETY: both pointers are used only inside the closures; `count` elements lie in both.
        let converted = unsafe source.withUnsafeBufferPointer { from in
            unsafe target.withUnsafeMutableBytes { to in
                unsafe set.pointee.narrow(
                    type.rawValue, from.baseAddress, to.baseAddress, count, scale, Int32(zeroPoint))
            }
        }
        return converted == count ? nil : converted
    }
}
