/// Reads decimal numbers exactly: the result is the one nearest to what the text says, ties to even.
///
/// The text is an optional sign, digits with an optional point among, before or after them, and an
/// optional exponent (`12`, `-.5`, `1e-3`); nothing else, so neither spaces nor `nan` nor `0x1p3`.
/// A number too large for the type is infinite, one too small is zero. No locale plays a part.
public enum NumberParser {
    /// The number that `text` says; nil where it is not a number.
    ///
    /// - Complexity: O(text). Allocates only for texts of more than 19 digits that lie so near to
    ///   the middle between two numbers that the first 19 do not decide.
    /// - Source: Clinger, "How to read floating point numbers accurately", 1990; Lemire, "Number
    ///   parsing at a gigabyte per second", 2021.
    public static func double(_ text: Span<UInt8>) -> Double? {
        if let small = smallInteger(text) { return Double(small) }
        guard let decimal = Decimal(text) else { return nil }
        let magnitude: Double
        if let exact = decimal.exactMagnitude {
            magnitude = exact
        } else if let nearest = PowersOfFive.nearest(decimal) {
            magnitude = nearest
        } else {
            return Double(asciiString(text))
        }
        return decimal.isNegative ? -magnitude : magnitude
    }

    /// The float32 that is nearest to what `text` says; nil where it is not a number.
    ///
    /// - Complexity: as `double(_:)`.
    public static func float(_ text: Span<UInt8>) -> Float? {
        if let small = smallInteger(text) { return Float(small) }
        guard let wide = double(text) else { return nil }
        let narrow = Float(wide)
        // Rounding twice differs from rounding once only where the first result lies exactly in
        // the middle between two floats; beyond the largest, the middle is where infinity begins.
        let error = wide - Double(narrow)
        if error == 0 { return narrow }
        let neighbour = error > 0 ? narrow.nextUp : narrow.nextDown
        let isMiddle = Double(narrow) + 2 * error == Double(neighbour)
        return narrow.isInfinite || isMiddle ? Float(asciiString(text)) : narrow
    }

    /// The integer that up to 15 digits and a sign say, which is most of what files hold; nil for
    /// any other text, and for a zero with a sign, which is a float of its own.
    @inline(__always)
    private static func smallInteger(_ text: Span<UInt8>) -> Int? {
        guard text.count >= 1, text.count <= 15 else { return nil }
        let isNegative = text[0] == 0x2D
        var value = 0
        for index in (isNegative ? 1 : 0)..<text.count {
            let digit = text[index] &- 0x30
            if digit > 9 { return nil }
            value = value &* 10 &+ Int(digit)
        }
        if isNegative { return value == 0 ? nil : -value }
        return value
    }

    private static func asciiString(_ text: Span<UInt8>) -> String {
        var string = String.UnicodeScalarView()
        for index in text.indices { string.append(Unicode.Scalar(text[index])) }
        return String(string)
    }
}

/// A decimal number as it is written: `±digits · 10^exponent`.
struct Decimal {
    /// The first 19 significant digits.
    private(set) var digits: UInt64 = 0
    private(set) var exponent = 0
    private(set) var isNegative = false
    /// Whether digits other than 0 were left out after the first 19.
    private(set) var isCut = false

    /// Reads `text`; nil where it is not a number.
    init?(_ text: Span<UInt8>) {
        var at = 0
        if at < text.count, text[at] == 0x2D || text[at] == 0x2B {
            isNegative = text[at] == 0x2D
            at += 1
        }
        let whole = take(text, from: at, isFraction: false)
        var count = whole - at
        at = whole
        if at < text.count, text[at] == 0x2E {
            let end = take(text, from: at + 1, isFraction: true)
            count += end - at - 1
            at = end
        }
        guard count > 0 else { return nil }
        if at < text.count {
            guard text[at] | 0x20 == 0x65, takeExponent(text, from: at + 1) else { return nil }
        }
    }

    /// Takes digits from `start`; returns where they end.
    private mutating func take(_ text: Span<UInt8>, from start: Int, isFraction: Bool) -> Int {
        // The largest value to which a digit can be appended without going beyond 19 digits.
        let limit: UInt64 = 999_999_999_999_999_999
        var at = start
        while at < text.count {
            let digit = text[at] &- 0x30
            if digit > 9 { break }
            if digits <= limit {
                digits = digits &* 10 &+ UInt64(digit)
                if isFraction { exponent -= 1 }
            } else {
                if digit != 0 { isCut = true }
                if !isFraction { exponent += 1 }
            }
            at += 1
        }
        return at
    }

    /// Takes the exponent, which is all that is left of the text; false where it is not one.
    private mutating func takeExponent(_ text: Span<UInt8>, from start: Int) -> Bool {
        var at = start
        var isBelowZero = false
        if at < text.count, text[at] == 0x2D || text[at] == 0x2B {
            isBelowZero = text[at] == 0x2D
            at += 1
        }
        guard at < text.count else { return false }
        var value = 0
        while at < text.count {
            let digit = text[at] &- 0x30
            if digit > 9 { return false }
            // Large enough to outweigh any number of digits that a line can hold.
            if value < 1 << 40 { value = value * 10 + Int(digit) }
            at += 1
        }
        exponent += isBelowZero ? -value : value
        return true
    }

    /// The number without its sign, where float64 arithmetic gives it exactly rounded: both factors
    /// are exact, and one operation rounds once.
    var exactMagnitude: Double? {
        if digits == 0 { return 0 }
        guard !isCut, digits <= 1 << 53, exponent >= -22, exponent <= 22 else { return nil }
        let value = Double(digits)
        if exponent == 0 { return value }
        return exponent < 0
            ? value / PowersOfFive.exactTens[-exponent] : value * PowersOfFive.exactTens[exponent]
    }
}
