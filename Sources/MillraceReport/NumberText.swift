/// Numbers as people read them: digits in groups of three, a few digits after the point.
package enum NumberText {
    /// A count with its digits in groups: `336,776`.
    package static func count(_ value: Int) -> String {
        let digits = Array(String(value.magnitude))
        var text = value < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index).isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// A number with this many digits after the point, rounded to nearest: `1,234.50`.
    ///
    /// Large numbers get fewer digits after the point than asked for, those from 10^15 on an
    /// exponent, and what is not a number is a dash.
    package static func fixed(_ value: Double, _ decimals: Int) -> String {
        precondition((0...9).contains(decimals), "decimals are 0 to 9")
        guard value.isFinite else { return "–" }
        guard value.magnitude < 1e15 else { return "\(value)" }
        var decimals = decimals
        while value.magnitude * powers[decimals] >= 1e18 { decimals -= 1 }
        let power = powers[decimals]
        let scaled = Int((value.magnitude * power).rounded())
        let (whole, part) = scaled.quotientAndRemainder(dividingBy: Int(power))
        var text = value < 0 && scaled > 0 ? "-" : ""
        text += count(whole)
        if decimals > 0 {
            let digits = String(part)
            text += "." + String(repeating: "0", count: decimals - digits.count) + digits
        }
        return text
    }

    /// A number with this many significant digits, as a fixed-point number: `0.8833`, `1,234`.
    package static func significant(_ value: Double, _ digits: Int) -> String {
        precondition((1...9).contains(digits), "digits are 1 to 9")
        guard value.isFinite else { return "–" }
        guard value != 0 else { return "0" }
        var exponent = 0
        var magnitude = value.magnitude
        while magnitude >= 10 {
            magnitude /= 10
            exponent += 1
        }
        while magnitude < 1 {
            magnitude *= 10
            exponent -= 1
        }
        // 9.996 with three digits is 10.0: rounding may add a digit before the point.
        if (magnitude * powers[digits - 1]).rounded() >= powers[digits] {
            exponent += 1
        }
        guard (-9...14).contains(exponent) else { return "\(value)" }
        return fixed(value, min(max(digits - 1 - exponent, 0), 9))
    }

    /// An amount with three digits and a decimal prefix: `1.24 M`, `336 k`, `12`.
    package static func compact(_ value: Double) -> String {
        prefixed(value, base: 1000, ["", " k", " M", " G", " T", " P"])
    }

    /// An amount of bytes with a decimal prefix: `3.2 MB`.
    package static func bytes(_ value: Int) -> String {
        prefixed(Double(value), base: 1000, [" B", " kB", " MB", " GB", " TB", " PB"])
    }

    /// A part of the whole, in percent: `99.5 %`.
    package static func percent(_ fraction: Double, decimals: Int = 1) -> String {
        fixed(fraction * 100, decimals) + " %"
    }

    /// A duration in the unit that suits it: `850 µs`, `12.3 s`, `2 min 05 s`.
    package static func duration(seconds: Double) -> String {
        guard seconds.isFinite else { return "–" }
        switch seconds.magnitude {
        case ..<1e-3: return significant(seconds * 1e6, 3) + " µs"
        case ..<1: return significant(seconds * 1e3, 3) + " ms"
        case ..<100: return fixed(seconds, 1) + " s"
        case ..<1e9:
            let whole = Int(seconds.rounded())
            let (minutes, rest) = whole.quotientAndRemainder(dividingBy: 60)
            let tail = rest.magnitude < 10 ? "0\(rest.magnitude)" : "\(rest.magnitude)"
            return count(minutes) + " min " + tail + " s"
        default: return fixed(seconds, 0) + " s"
        }
    }

    private static let powers = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]

    private static func prefixed(_ value: Double, base: Double, _ units: [String]) -> String {
        guard value.isFinite else { return "–" }
        var unit = 0
        var scaled = value
        // 999.5 would be written as 1000 with three digits: it belongs to the next unit.
        while scaled.magnitude >= base - 0.5 && unit + 1 < units.count {
            scaled /= base
            unit += 1
        }
        let whole = unit == 0 && scaled == scaled.rounded()
        return (whole ? fixed(scaled, 0) : significant(scaled, 3)) + units[unit]
    }
}
