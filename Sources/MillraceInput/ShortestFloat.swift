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

    /// Bytes of room that `write` needs for so many numbers: it stores several digits at a time, also
    /// beyond the last.
    public static func room(for numbers: Int) -> Int { numbers * (maxBytes + 1) + 32 }

    /// Writes numbers between commas into `text` from byte `start` on; returns where they end.
    ///
    /// Traps unless there is `room(for:)` them.
    /// **Allocation**: none.
    ///
    /// - Complexity: O(numbers).
    public static func write(
        _ values: Span<Float>, into text: inout MutableSpan<UInt8>, at start: Int,
        special: Special
    ) -> Int {
        precondition(
            start >= 0 && text.count - start >= room(for: values.count), "no room for the numbers")
        guard !values.isEmpty else { return start }
        let tables = Self.tables
        // SAFETY: there is room for all, and the tables live as long as the program.
        return unsafe text.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return start }
            var end = unsafe base + start
            for index in values.indices {
                unsafe end += write(values[index], end, tables, special)
                unsafe end.pointee = UInt8(ascii: ",")
                unsafe end += 1
            }
            return unsafe end - base - 1
        }
    }

    /// The text of one number.
    public static func text(_ value: Float, special: Special = .csv) -> String {
        var bytes = [UInt8](repeating: 0, count: room(for: 1))
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

    /// What is looked up; made once and never freed.
    @safe private struct Tables: @unchecked Sendable {
        // Sendable: what it points to is not changed once it is made.

        /// The exponents of `powers`.
        static let exponents = -31...45
        /// Whole numbers below this have their text in `texts`.
        static let smallNumbers = 1000
        /// The first 64 bits of powers of ten, rounded up.
        let powers: UnsafePointer<UInt64>
        /// 10^0 to 10^9.
        let tens: UnsafePointer<UInt32>
        /// The digits of small numbers, the first in the lowest byte, and how many in the highest.
        let texts: UnsafePointer<UInt32>

        init() {
            unsafe powers = Self.table(Self.exponents.map(PowersOfFive.leadingWord(ofTenTo:)))
            unsafe tens = Self.table(
                (0..<9).reduce(into: [1]) { tens, _ in tens.append(10 * (tens.last ?? 1)) })
            unsafe texts = Self.table(
                (0..<Self.smallNumbers).map { number in
                    let digits = Array("\(number)".utf8)
                    let text = digits.reversed().reduce(0) { $0 << 8 | UInt32($1) }
                    return text | UInt32(digits.count) << 24
                })
        }

        private static func table<Word>(_ words: [Word]) -> UnsafePointer<Word> {
            let memory = UnsafeMutablePointer<Word>.allocate(capacity: words.count)
            // SAFETY: as many as there is room for.
            for (index, word) in words.enumerated() {
                unsafe (memory + index).initialize(to: word)
            }
            return unsafe UnsafePointer(memory)
        }
    }

    private static let tables = Tables()

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
        let lowerQuarter = 4 &* significand &- (isNarrow ? 1 : 2)
        let isOdd = significand & 1
        let exponent = (power &* 1_262_611 &- (isNarrow ? 524_031 : 0)) >> 22
        let shift = UInt32(truncatingIfNeeded: power &+ (0 &- exponent &* 1_741_647) >> 19 &+ 1)
        let word = unsafe powers[0 &- exponent &- Tables.exponents.lowerBound]
        let lower = roundedToOdd(word, lowerQuarter &<< shift) &+ isOdd
        let middle = roundedToOdd(word, (4 &* significand) &<< shift)
        let upper = roundedToOdd(word, (4 &* significand &+ 2) &<< shift) &- isOdd
        return choose(lower, middle, upper, exponent)
    }

    /// Of the numbers with one digit less, then of those with all, the one within the interval; of
    /// two the nearer.
    ///
    /// Which one it is cannot be foreseen, so all are found and one is taken, without branches.
    @inline(__always)
    private static func choose(
        _ lower: UInt32, _ middle: UInt32, _ upper: UInt32, _ exponent: Int
    ) -> Decimal {
        let whole = middle / 4
        let tens = whole / 10
        let isTenInside = bit(lower <= 40 &* tens)
        let isNextTenInside = bit(40 &* tens &+ 40 <= upper)
        let isInside = bit(lower <= 4 &* whole)
        let isNextInside = bit(4 &* whole &+ 4 <= upper)
        let half = 4 &* whole &+ 2
        let isUp = bit(middle > half) | (bit(middle == half) & whole)
        // One of two is inside: that one; else the nearer.
        let isOne = isInside ^ isNextInside
        let next = (isOne & isNextInside) | ((isOne ^ 1) & isUp & 1)
        let isShort = (isTenInside ^ isNextTenInside) & bit(whole >= 10)
        let mask = 0 &- isShort
        let digits = (tens &+ isNextTenInside) & mask | (whole &+ next) & ~mask
        return Decimal(digits: digits, exponent: exponent &+ Int(isShort))
    }

    @inline(__always)
    private static func bit(_ holds: Bool) -> UInt32 { holds ? 1 : 0 }

    /// The upper 32 bits of the product of 96, its last bit set where others were lost.
    @inline(__always)
    private static func roundedToOdd(_ word: UInt64, _ value: UInt32) -> UInt32 {
        let (high, low) = word.multipliedFullWidth(by: UInt64(value))
        return UInt32(truncatingIfNeeded: high) | bit(low >> 32 > 1)
    }

    // MARK: Text

    /// Writes one number where there is room for it; returns its length.
    @inline(__always)
    private static func write(
        _ value: Float, _ text: UnsafeMutablePointer<UInt8>, _ tables: Tables, _ special: Special
    ) -> Int {
        let bits = value.bitPattern
        // As numbers above zero are ordered, so are their bits; those below have the highest set.
        if bits < Float(Tables.smallNumbers).bitPattern {
            let whole = Int32(value)
            if Float(whole) == value {
                let entry = unsafe tables.texts[Int(whole)]
                // SAFETY: here and below there is room for the longest number and a word behind it.
                unsafe store(entry, text)
                return Int(entry >> 24)
            }
        }
        let biased = Int(bits >> 23 & 0xFF)
        if biased == 0xFF { return unsafe write(special: special, value, text) }
        let sign = Int(bits >> 31)
        unsafe text.pointee = UInt8(ascii: "-")
        let start = unsafe text + sign
        if bits << 1 == 0 {
            unsafe start.pointee = UInt8(ascii: "0")
            return sign + 1
        }
        let decimal = unsafe shortest(bits & 0x7F_FFFF, biased, tables.powers)
        return unsafe sign + write(decimal, start, tables.tens)
    }

    /// Writes the digits of a number, zeros behind the last one left out.
    ///
    /// Sixteen digits are stored at once, zeros before and behind them included, and those behind
    /// the point again, one place further: how long a number is cannot be foreseen, and a branch
    /// for it would cost more.
    @inline(__always)
    private static func write(
        _ decimal: Decimal, _ text: UnsafeMutablePointer<UInt8>, _ tens: UnsafePointer<UInt32>
    ) -> Int {
        let count = unsafe digitCount(decimal.digits, tens)
        let point = count &+ decimal.exponent
        let nine = unsafe decimal.digits &* tens[9 &- count]
        let (first, rest) = nine.quotientAndRemainder(dividingBy: 100_000_000)
        let digits = eightDigits(rest)
        // The last digit is in the highest byte.
        let significant = 9 &- digits.leadingZeroBitCount / 8
        guard point > -5, point <= 10 else {
            return unsafe writeScientific(first, digits, significant, point - 1, text)
        }
        let zeros: UInt64 = 0x3030_3030_3030_3030
        let low = zeros &+ UInt64(first) &<< 40 &+ digits &<< 48
        let high = zeros &+ digits &>> 16
        let all = UInt128(low) | UInt128(high) &<< 64
        // Five zeros stand before the digits.
        let begin = 4 &+ min(point, 1)
        let whole = max(point, 1)
        let shown = all &>> UInt128(truncatingIfNeeded: 8 &* begin)
        unsafe store(shown, text)
        unsafe store(shown &>> UInt128(truncatingIfNeeded: 8 &* whole), text + (whole &+ 1))
        unsafe text[whole] = UInt8(ascii: ".")
        let length = 5 &+ significant &- begin
        if length <= whole {
            unsafe store(shown, text)
            return whole
        }
        return length &+ 1
    }

    private static func writeScientific(
        _ first: UInt32, _ digits: UInt64, _ significant: Int, _ exponent: Int,
        _ text: UnsafeMutablePointer<UInt8>
    ) -> Int {
        unsafe text[0] = UInt8(ascii: "0") + UInt8(first)
        unsafe text[1] = UInt8(ascii: ".")
        unsafe store(digits | 0x3030_3030_3030_3030, text + 2)
        var end = significant == 1 ? 1 : significant + 1
        unsafe text[end] = UInt8(ascii: "e")
        unsafe text[end + 1] = UInt8(ascii: "-")
        end += exponent < 0 ? 2 : 1
        let size = UInt8(exponent.magnitude)
        if size >= 10 {
            unsafe text[end] = UInt8(ascii: "0") + size / 10
            end += 1
        }
        unsafe text[end] = UInt8(ascii: "0") + size % 10
        return end + 1
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

    /// How many digits a number has; below 2^30, from its bits: 1233 / 4096 is nearly log10 2.
    @inline(__always)
    private static func digitCount(_ value: UInt32, _ tens: UnsafePointer<UInt32>) -> Int {
        let guess = ((32 - value.leadingZeroBitCount) * 1233) >> 12
        return unsafe guess + (value < tens[guess] ? 0 : 1)
    }

    /// The eight digits of a number below 10^8, one in each byte, the first in the lowest.
    ///
    /// Pairs of four, then of two digits, then single ones are divided at the same time.
    /// - Source: Khuong, "How to print integers really fast", 2017.
    @inline(__always)
    private static func eightDigits(_ value: UInt32) -> UInt64 {
        let (high, low) = value.quotientAndRemainder(dividingBy: 10_000)
        let fours = UInt64(high) | UInt64(low) << 32
        let tops = (fours &* 10_486) >> 20 & 0x0000_007F_0000_007F
        let pairs = (fours &- 100 &* tops) << 16 &+ tops
        let tens = (pairs &* 103) >> 10 & 0x000F_000F_000F_000F
        return tens &+ (pairs &- 10 &* tens) << 8
    }

    /// Stores a word, its lowest byte first.
    @inline(__always)
    private static func store(_ word: some FixedWidthInteger, _ text: UnsafeMutablePointer<UInt8>) {
        // SAFETY: the caller has room for it, at any place.
        unsafe UnsafeMutableRawPointer(text).storeBytes(
            of: word.littleEndian, as: type(of: word.littleEndian))
    }
}
