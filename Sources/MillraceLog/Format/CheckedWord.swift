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
        return check(of: value) << 56 | value
    }

    /// The value of a word; nil when its check does not match.
    @inline(__always)
    package static func open(_ word: UInt64) -> UInt64? {
        let value = word & maxValue
        return check(of: value) == word >> 56 ? value : nil
    }

    /// The CRC, four bits a turn: its table of sixteen bytes stands in two words.
    @inline(__always)
    private static func check(of value: UInt64) -> UInt64 {
        var crc: UInt64 = 0xFF
        var shift: UInt64 = 56
        while shift > 0 {
            shift &-= 4
            let index = (crc >> 4) ^ (value >> shift & 0xF)
            let half: UInt64 = index < 8 ? 0xCDE2_93BC_715E_2F00 : 0x9AB5_C4EB_2609_7857
            crc = (crc << 4 & 0xFF) ^ (half >> ((index & 7) &* 8) & 0xFF)
        }
        return crc
    }
}
