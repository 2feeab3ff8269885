internal import CMillraceKernels

/// A 64-bit word of the control page that tells when some of its bits were flipped.
///
/// The lower 56 bits are a value, the upper 8 their CRC-8 with polynomial 0x2F, all ones at the
/// start, most significant byte first: every flip of up to three bits is found, and a word of
/// zeros is not valid. A word is stored whole, so value and check never disagree in between.
/// - Source: AUTOSAR, Specification of CRC Routines, CRC8H2F (here without the last inversion).
package enum CheckedWord {
    package static let maxValue: UInt64 = (1 << 56) - 1

    /// The word for a value of at most 56 bits.
    @inline(__always)
    package static func seal(_ value: UInt64) -> UInt64 {
        precondition(value <= maxValue)
        return cm_check8(value) << 56 | value
    }

    /// The value of a word; nil when its check does not match.
    @inline(__always)
    package static func open(_ word: UInt64) -> UInt64? {
        let value = word & maxValue
        return cm_check8(value) == word >> 56 ? value : nil
    }
}
