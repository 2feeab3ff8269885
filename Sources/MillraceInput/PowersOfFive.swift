/// Turns decimal numbers of up to 19 digits into the nearest float64 by one or two multiplications
/// with the first 128 bits of a power of five.
///
/// - Source: Lemire, "Number parsing at a gigabyte per second", 2021; that no case is left undecided
///   is shown by Mushtak and Lemire, "Fast number parsing without fallback", 2022.
enum PowersOfFive {
    /// 10^0 to 10^22, all exact.
    static let exactTens: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]

    /// Below the first, any 19 digits give 0; above the last, infinity.
    private static let exponents = -342...308

    /// The first 128 bits of a power of five, the highest bit set.
    private struct Bits {
        var high: UInt64
        var low: UInt64
    }

    /// The powers of `exponents`: cut off, but for 5^-27 to 5^-1, which are rounded up.
    private static let table: [Bits] = {
        var table = [Bits](repeating: Bits(high: 0, low: 0), count: exponents.count)
        let zero = -exponents.lowerBound
        // Little-endian words. 5^308 takes 716 bits; 2^1023 / 5^342 still has 229 of its own.
        var number = [UInt64](repeating: 0, count: 12)
        number[0] = 1
        for power in 0...exponents.upperBound {
            table[zero + power] = leadingBits(number)
            var carry: UInt64 = 0
            for index in number.indices {
                let product = number[index].multipliedFullWidth(by: 5)
                let (sum, overflow) = product.low.addingReportingOverflow(carry)
                number[index] = sum
                carry = product.high + (overflow ? 1 : 0)
            }
        }
        number = [UInt64](repeating: 0, count: 16)
        number[15] = 1 << 63
        for power in 1...zero {
            var remainder: UInt64 = 0
            for index in number.indices.reversed() {
                let result = UInt64(5).dividingFullWidth((remainder, number[index]))
                number[index] = result.quotient
                remainder = result.remainder
            }
            var bits = leadingBits(number)
            if power <= 27 {
                bits.low &+= 1
                if bits.low == 0 { bits.high += 1 }
            }
            table[zero - power] = bits
        }
        return table
    }()

    /// The first 64 bits of 10 to the power of `exponent`, -27 to 55 and beyond, rounded up where
    /// they are not all.
    static func leadingWord(ofTenTo exponent: Int) -> UInt64 {
        // 5^27 is the largest power that 64 bits hold.
        let isExact = (0...27).contains(exponent)
        return table[exponent - exponents.lowerBound].high + (isExact ? 0 : 1)
    }

    private static func leadingBits(_ number: [UInt64]) -> Bits {
        let top = number.lastIndex { $0 != 0 } ?? 0
        func word(_ index: Int) -> UInt64 { index >= 0 ? number[index] : 0 }
        let shift = number[top].leadingZeroBitCount
        func shifted(_ index: Int) -> UInt64 {
            shift == 0
                ? word(index) : word(index) << UInt64(shift) | word(index - 1) >> UInt64(64 - shift)
        }
        return Bits(high: shifted(top), low: shifted(top - 1))
    }

    /// The float64 nearest to `decimal` without its sign; nil where digits were left out and the
    /// ones that are there do not decide.
    static func nearest(_ decimal: Decimal) -> Double? {
        let value = nearest(decimal.digits, decimal.exponent)
        guard decimal.isCut else { return value }
        // What was left out lies between the digits and the digits plus one.
        return value == nearest(decimal.digits + 1, decimal.exponent) ? value : nil
    }

    private static func nearest(_ digits: UInt64, _ exponent: Int) -> Double {
        if digits == 0 || exponent < exponents.lowerBound { return 0 }
        if exponent > exponents.upperBound { return .infinity }
        let shiftUp = digits.leadingZeroBitCount
        let product = multiply(digits << UInt64(shiftUp), table[exponent - exponents.lowerBound])
        let upper = Int(product.high >> 63)
        let shiftDown = UInt64(upper + 9)
        // 53 bits and one to round by.
        var mantissa = product.high >> shiftDown
        var power = ((217_706 * exponent) >> 16) + 63 + upper - shiftUp + 1023
        if power <= 0 {
            if power <= -63 { return 0 }
            mantissa >>= UInt64(1 - power)
            mantissa = (mantissa + (mantissa & 1)) >> 1
            // Rounding up to the smallest normal number sets its exponent by itself.
            return Double(bitPattern: mantissa)
        }
        // Exactly in the middle, which only these exponents make possible: round to even.
        if product.low <= 1, exponent >= -4, exponent <= 23, mantissa & 3 == 1,
            mantissa << shiftDown == product.high
        {
            mantissa &= ~1
        }
        mantissa = (mantissa + (mantissa & 1)) >> 1
        if mantissa == 1 << 53 {
            mantissa = 1 << 52
            power += 1
        }
        if power >= 0x7FF { return .infinity }
        return Double(bitPattern: UInt64(power) << 52 | (mantissa & ((1 << 52) - 1)))
    }

    /// The high 128 bits of `digits · power`, as far as they can matter.
    private static func multiply(_ digits: UInt64, _ power: Bits) -> Bits {
        let first = digits.multipliedFullWidth(by: power.high)
        var result = Bits(high: first.high, low: first.low)
        // The bits below those that are kept decide only where they are all ones.
        if first.high & 0x1FF == 0x1FF {
            let second = digits.multipliedFullWidth(by: power.low)
            let (low, overflow) = result.low.addingReportingOverflow(second.high)
            result.low = low
            if overflow { result.high += 1 }
        }
        return result
    }
}
