/// Searches among many floats.
package enum FloatScan {
    /// Whether one of the numbers at these places is infinite; NaN is not.
    ///
    /// - Complexity: O(places), eight at a time.
    package static func hasInfinity(_ values: [Float], at places: Range<Int>) -> Bool {
        // SAFETY: every load ends within the buffer, which lives as long as the closure.
        unsafe values.span.extracting(places).withUnsafeBytes { bytes in
            var found = SIMD8<UInt32>(repeating: 0)
            let wide = MemoryLayout<SIMD8<UInt32>>.size
            var place = 0
            while place + wide <= bytes.count {
                let bits = unsafe bytes.loadUnaligned(
                    fromByteOffset: place, as: SIMD8<UInt32>.self)
                found |= isInfinite(bits)
                place += wide
            }
            while place < bytes.count {
                let bits = unsafe bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)
                found |= isInfinite(SIMD8(repeating: bits))
                place += 4
            }
            return found != SIMD8(repeating: 0)
        }
    }

    /// Not zero where the bits are those of an infinity, of either sign.
    @inline(__always)
    private static func isInfinite(_ bits: SIMD8<UInt32>) -> SIMD8<UInt32> {
        let exponent = SIMD8<UInt32>(repeating: 0x7F80_0000)
        let magnitude = bits & SIMD8(repeating: 0x7FFF_FFFF)
        return SIMD8<UInt32>(repeating: 0).replacing(
            with: SIMD8(repeating: 1), where: magnitude .== exponent)
    }
}
