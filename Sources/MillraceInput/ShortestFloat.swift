/// Writes float32 numbers as the shortest decimal text that reads back as the same number, of several
/// such the nearest one.
///
/// Numbers from 1e-5 to below 1e10 are written plainly (`0.00012`, `16777216`), others with an
/// exponent (`1.5e-7`, `1e20`), whole ones without a point, zero with its
/// sign: all of them as JSON allows. Written by hand since the standard library makes a string of each.
///
/// - Source: Giulietti, "The Schubfach way to render doubles", 2020.
public enum ShortestFloat {
    /// The longest text of a number, such as `-0.0000123456789`.
    public static let maxBytes = 16

    /// What stands for numbers that have no digits.
    public enum Special: Sendable {
        /// `null` for NaN, `"inf"` and `"-inf"` in quotes.
        case json
        /// Nothing for NaN, `inf` and `-inf`.
        case csv
    }

    /// Writes numbers between commas into `text` from byte `start` on; returns where they end.
    ///
    /// Traps unless there is room for `maxBytes` and a comma for each number.
    /// **Allocation**: none.
    ///
    /// - Complexity: O(numbers).
    public static func write(
        _ values: Span<Float>, into text: inout MutableSpan<UInt8>, at start: Int,
        special: Special
    ) -> Int {
        precondition(
            start >= 0 && text.count - start >= values.count * (maxBytes + 1),
            "no room for the numbers")
        let powers = unsafe Self.powers.words
        // SAFETY: there is room for all, and the powers live as long as the program.
        return unsafe text.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return start }
            var end = unsafe base + start
            for index in values.indices {
                if index > 0 {
                    unsafe end.pointee = UInt8(ascii: ",")
                    unsafe end += 1
                }
                unsafe end += write(values[index], end, powers, special)
            }
            return unsafe end - base
        }
    }

    /// The text of one number.
    public static func text(_ value: Float, special: Special = .csv) -> String {
        var bytes = [UInt8](repeating: 0, count: maxBytes + 1)
        let one: [Float] = [value]
        var target = bytes.mutableSpan
        let count = write(one.span, into: &target, at: 0, special: special)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    // MARK: Digits

    /// `digits · 10^exponent`.
    private struct Decimal {
        var digits: UInt32
        var exponent: Int
    }

    /// The first 64 bits of powers of ten, rounded up; made once and never freed.
    @safe private struct Powers: @unchecked Sendable {
        // Sendable: what it points to is not changed once it is made.
        static let exponents = -31...45
        let words: UnsafePointer<UInt64>

        init() {
            let memory = UnsafeMutablePointer<UInt64>.allocate(capacity: Self.exponents.count)
            for (index, exponent) in Self.exponents.enumerated() {
                // SAFETY: as many as there is room for.
                unsafe (memory + index).initialize(
                    to: PowersOfFive.leadingWord(ofTenTo: exponent))
            }
            unsafe words = UnsafePointer(memory)
        }
    }

    private static let powers = Powers()

    /// The shortest digits of the finite number above zero with these bits, perhaps with zeros
    /// behind them.
    @inline(__always)
    private static func shortest(
        _ fraction: UInt32, _ biased: Int, _ powers: UnsafePointer<UInt64>
    ) -> Decimal {
        let significand = biased == 0 ? fraction : fraction | 1 << 23
        let power = max(biased, 1) - 150
        if power <= 0, power > -24, significand & (1 << UInt32(-power) &- 1) == 0 {
            return Decimal(digits: significand >> UInt32(-power), exponent: 0)
        }
        // The interval of what rounds to the number, in quarters of a unit; below a power of two it
        // is half as wide.
        let isNarrow = fraction == 0 && biased > 1
        let lowerQuarter = 4 * significand - (isNarrow ? 1 : 2)
        let isOdd = significand & 1
        let exponent = (power * 1_262_611 - (isNarrow ? 524_031 : 0)) >> 22
        let shift = UInt32(power + (-exponent * 1_741_647) >> 19 + 1)
        let word = unsafe powers[-exponent - Powers.exponents.lowerBound]
        let lower = roundedToOdd(word, lowerQuarter << shift) + isOdd
        let middle = roundedToOdd(word, 4 * significand << shift)
        let upper = roundedToOdd(word, (4 * significand + 2) << shift) - isOdd
        let whole = middle / 4
        if whole >= 10 {
            let tens = whole / 10
            let isLowerInside = lower <= 40 * tens
            let isUpperInside = 40 * tens + 40 <= upper
            if isLowerInside != isUpperInside {
                return Decimal(digits: tens + (isUpperInside ? 1 : 0), exponent: exponent + 1)
            }
        }
        let isLowerInside = lower <= 4 * whole
        let isUpperInside = 4 * whole + 4 <= upper
        if isLowerInside != isUpperInside {
            return Decimal(digits: whole + (isUpperInside ? 1 : 0), exponent: exponent)
        }
        let half = 4 * whole + 2
        let roundsUp = middle > half || middle == half && whole & 1 == 1
        return Decimal(digits: whole + (roundsUp ? 1 : 0), exponent: exponent)
    }

    /// The upper 32 bits of the product of 96, its last bit set where others were lost.
    @inline(__always)
    private static func roundedToOdd(_ word: UInt64, _ value: UInt32) -> UInt32 {
        let (high, low) = word.multipliedFullWidth(by: UInt64(value))
        return UInt32(truncatingIfNeeded: high) | (low >> 32 > 1 ? 1 : 0)
    }

    // MARK: Text

    /// Writes one number where there is room for it; returns its length.
    @inline(__always)
    private static func write(
        _ value: Float, _ text: UnsafeMutablePointer<UInt8>, _ powers: UnsafePointer<UInt64>,
        _ special: Special
    ) -> Int {
        let bits = value.bitPattern
        let fraction = bits & 0x7F_FFFF
        let biased = Int(bits >> 23 & 0xFF)
        if biased == 0xFF { return unsafe write(special: special, value, text) }
        let sign = Int(bits >> 31)
        // SAFETY: here and below there is room for the longest number.
        unsafe text.pointee = UInt8(ascii: "-")
        let start = unsafe text + sign
        if bits << 1 == 0 {
            unsafe start.pointee = UInt8(ascii: "0")
            return sign + 1
        }
        var decimal = unsafe shortest(fraction, biased, powers)
        if decimal.exponent == 0, decimal.digits < 10 {
            unsafe start.pointee = UInt8(ascii: "0") + UInt8(decimal.digits)
            return sign + 1
        }
        if decimal.exponent != 0 { removeZeros(&decimal) }
        return unsafe sign + write(decimal, start)
    }

    @inline(__always)
    private static func removeZeros(_ decimal: inout Decimal) {
        while true {
            let (tens, last) = decimal.digits.quotientAndRemainder(dividingBy: 10)
            if last != 0 { return }
            decimal.digits = tens
            decimal.exponent += 1
        }
    }

    private static func write(
        special: Special, _ value: Float, _ text: UnsafeMutablePointer<UInt8>
    ) -> Int {
        let word: StaticString =
            switch (special, value.isNaN, value < 0) {
            case (.json, true, _): "null"
            case (.json, false, false): "\"inf\""
            case (.json, false, true): "\"-inf\""
            case (.csv, true, _): ""
            case (.csv, false, false): "inf"
            case (.csv, false, true): "-inf"
            }
        // SAFETY: none is longer than the longest number.
        unsafe text.update(from: word.utf8Start, count: word.utf8CodeUnitCount)
        return word.utf8CodeUnitCount
    }

    @inline(__always)
    private static func write(
        _ decimal: Decimal, _ text: UnsafeMutablePointer<UInt8>
    ) -> Int {
        let count = digitCount(decimal.digits)
        let point = count + decimal.exponent
        if point > 0, point <= 10 {
            guard decimal.exponent < 0 else {
                unsafe writeDigits(decimal.digits, count, text)
                for place in count..<point { unsafe text[place] = UInt8(ascii: "0") }
                return point
            }
            unsafe writeDigits(decimal.digits, count, text + 1)
            for place in 0..<point { unsafe text[place] = text[place + 1] }
            unsafe text[point] = UInt8(ascii: ".")
            return count + 1
        }
        if point <= 0, point > -5 {
            for place in 0..<2 - point { unsafe text[place] = UInt8(ascii: "0") }
            unsafe text[1] = UInt8(ascii: ".")
            unsafe writeDigits(decimal.digits, count, text + (2 - point))
            return 2 - point + count
        }
        return unsafe writeScientific(decimal, count, text)
    }

    private static func writeScientific(
        _ decimal: Decimal, _ count: Int, _ text: UnsafeMutablePointer<UInt8>
    ) -> Int {
        unsafe writeDigits(decimal.digits, count, text + 1)
        unsafe text[0] = text[1]
        unsafe text[1] = UInt8(ascii: ".")
        var end = count == 1 ? 1 : count + 1
        unsafe text[end] = UInt8(ascii: "e")
        end += 1
        let exponent = count + decimal.exponent - 1
        if exponent < 0 {
            unsafe text[end] = UInt8(ascii: "-")
            end += 1
        }
        let size = UInt32(exponent.magnitude)
        let length = size < 10 ? 1 : 2
        unsafe writeDigits(size, length, text + end)
        return end + length
    }

    @inline(__always)
    private static func digitCount(_ value: UInt32) -> Int {
        if value < 100_000 {
            if value < 100 { return value < 10 ? 1 : 2 }
            return value < 1000 ? 3 : value < 10_000 ? 4 : 5
        }
        if value < 10_000_000 { return value < 1_000_000 ? 6 : 7 }
        return value < 100_000_000 ? 8 : value < 1_000_000_000 ? 9 : 10
    }

    @inline(__always)
    private static func writeDigits(
        _ value: UInt32, _ count: Int, _ text: UnsafeMutablePointer<UInt8>
    ) {
        var left = value
        var place = count
        while place >= 2 {
            place -= 2
            let (rest, pair) = left.quotientAndRemainder(dividingBy: 100)
            left = rest
            let tens = pair / 10
            unsafe text[place] = UInt8(truncatingIfNeeded: 0x30 + tens)
            unsafe text[place + 1] = UInt8(truncatingIfNeeded: 0x30 + pair - tens * 10)
        }
        if place == 1 { unsafe text[0] = UInt8(truncatingIfNeeded: 0x30 + left) }
    }
}
