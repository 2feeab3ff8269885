/// A date, a time of day, or both, as ISO 8601's extended form writes them.
///
/// - Source: RFC 3339, section 5.6, with the time and the distance from UTC optional, a space in the
///   place of the `T`, `24:00` for the end of the day, and seconds of 60.
struct CalendarTime: Equatable {
    /// Days since 1970-01-01, of the date as it is written; nil for a time alone.
    var day: Int?
    /// Year, month and day of the month.
    var year = 0, month = 0, dayOfMonth = 0
    /// Seconds since midnight, with their fraction, of the time as it is written.
    var second = 0.0
    /// How far the time is ahead of UTC, in seconds; 0 where the text does not say.
    var offset = 0

    /// Reads `text`; nil where it is neither a date nor a time.
    init?(_ text: Span<UInt8>) {
        var reader = Reader()
        if text.count > 2, text[2] == UInt8(ascii: ":") {
            guard readTime(text, &reader) else { return nil }
        } else {
            guard readDate(text, &reader) else { return nil }
            if reader.take(text, UInt8(ascii: "T")) || reader.take(text, UInt8(ascii: "t"))
                || reader.take(text, UInt8(ascii: " "))
            {
                guard readTime(text, &reader), readOffset(text, &reader) else { return nil }
            }
        }
        guard reader.at == text.count else { return nil }
    }

    private mutating func readDate(_ text: Span<UInt8>, _ reader: inout Reader) -> Bool {
        let dash = UInt8(ascii: "-")
        guard let year = reader.digits(text, 4), reader.take(text, dash),
            let month = reader.digits(text, 2), reader.take(text, dash),
            let dayOfMonth = reader.digits(text, 2), (1...12).contains(month),
            (1...Self.days(in: month, of: year)).contains(dayOfMonth)
        else { return false }
        (self.year, self.month, self.dayOfMonth) = (year, month, dayOfMonth)
        day = Self.daysSinceEpoch(year: year, month: month, day: dayOfMonth)
        return true
    }

    private mutating func readTime(_ text: Span<UInt8>, _ reader: inout Reader) -> Bool {
        let colon = UInt8(ascii: ":")
        guard let hour = reader.digits(text, 2), reader.take(text, colon),
            let minute = reader.digits(text, 2), hour <= 24, minute < 60
        else { return false }
        second = Double(hour * 3600 + minute * 60)
        if reader.take(text, colon) {
            guard let whole = reader.digits(text, 2), whole <= 60 else { return false }
            second += Double(whole)
            if reader.take(text, UInt8(ascii: ".")) {
                guard let fraction = reader.fraction(text) else { return false }
                second += fraction
            }
        }
        return hour < 24 || second == 86_400
    }

    private mutating func readOffset(_ text: Span<UInt8>, _ reader: inout Reader) -> Bool {
        if reader.take(text, UInt8(ascii: "Z")) || reader.take(text, UInt8(ascii: "z")) {
            return true
        }
        let isBehind = reader.take(text, UInt8(ascii: "-"))
        guard isBehind || reader.take(text, UInt8(ascii: "+")) else { return true }
        guard let hours = reader.digits(text, 2) else { return false }
        let hasColon = reader.take(text, UInt8(ascii: ":"))
        let minutes = reader.at < text.count || hasColon ? reader.digits(text, 2) : 0
        guard let minutes, hours < 24, minutes < 60 else { return false }
        offset = (isBehind ? -1 : 1) * (hours * 3600 + minutes * 60)
        return true
    }

    /// Monday is 0, Sunday 6; 1970-01-01 was a Thursday.
    static func dayOfWeek(_ day: Int) -> Int { ((day + 3) % 7 + 7) % 7 }

    /// Days from 1970-01-01 to a date of the Gregorian calendar.
    ///
    /// - Source: Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`.
    static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// A place in a text.
    private struct Reader {
        var at = 0

        mutating func take(_ text: Span<UInt8>, _ byte: UInt8) -> Bool {
            guard at < text.count, text[at] == byte else { return false }
            at += 1
            return true
        }

        /// The number that exactly `count` digits say.
        mutating func digits(_ text: Span<UInt8>, _ count: Int) -> Int? {
            guard at + count <= text.count else { return nil }
            var value = 0
            for index in at..<(at + count) {
                let digit = text[index] &- 0x30
                if digit > 9 { return nil }
                value = value * 10 + Int(digit)
            }
            at += count
            return value
        }

        /// The fraction that the digits behind a point say; those behind the ninth are read and
        /// left out.
        mutating func fraction(_ text: Span<UInt8>) -> Double? {
            let begin = at
            var value = 0
            var unit = 1
            while at < text.count, text[at] &- 0x30 <= 9 {
                if unit < 1_000_000_000 {
                    value = value * 10 + Int(text[at] &- 0x30)
                    unit *= 10
                }
                at += 1
            }
            return at > begin ? Double(value) / Double(unit) : nil
        }
    }
}
