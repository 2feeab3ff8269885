internal import CMillraceKernels

/// Searches among many floats.
///
/// - Complexity: O(values), many at a time.
package enum FloatScan {
    private static let exponent: UInt32 = 0x7F80_0000

    /// Whether one of the numbers is infinite; NaN is not.
    package static func hasInfinity(_ values: Span<Float>) -> Bool {
        // SAFETY: the buffer has as many elements as are asked for.
        unsafe values.withUnsafeBufferPointer { values in
            unsafe KernelTable.best.functions.pointee.has_infinity(
                values.baseAddress, values.count) != 0
        }
    }

    /// Whether all are finite: none infinite, none NaN.
    package static func areFinite(_ values: Span<Float>) -> Bool {
        !any(values) { ($0 & SIMD8(repeating: exponent)) .== SIMD8(repeating: exponent) }
    }

    @inline(__always)
    private static func any(
        _ values: Span<Float>, _ test: (SIMD8<UInt32>) -> SIMDMask<SIMD8<Int32>>
    ) -> Bool {
        // SAFETY: every load ends within the buffer, which lives as long as the closure.
        unsafe values.withUnsafeBytes { bytes in
            var found = SIMDMask<SIMD8<Int32>>(repeating: false)
            let wide = MemoryLayout<SIMD8<UInt32>>.size
            var place = 0
            while place + wide <= bytes.count {
                found
                    .|= test(
                        unsafe bytes.loadUnaligned(fromByteOffset: place, as: SIMD8<UInt32>.self))
                place += wide
            }
            while place < bytes.count {
                let bits = unsafe bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)
                found .|= test(SIMD8(repeating: bits))
                place += 4
            }
            return Swift.any(found)
        }
    }
}
