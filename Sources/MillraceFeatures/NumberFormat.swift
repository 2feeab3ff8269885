/// How a number's text is read.
///
/// `minuteOfDay` to `daysSinceEpoch` take dates and times as ISO 8601 and RFC 3339 write them:
/// `2013-01-31`, `2013-01-31T05:15`, `2013-01-31 05:15:59.5+01:00`. All but the last take the date
/// and the time as they are written, wherever that was: the distance from UTC plays no part.
public enum NumberFormat: String, Sendable, Equatable, CaseIterable {
    /// A decimal number, as `NumberParser` takes it.
    case plain
    /// A time of day as `hmm` or `hhmm` (`5`, `515`, `2359`), read as minutes since midnight.
    /// `2400` is the end of the day, 1440 minutes, as in ISO 8601; minutes above 59 are refused.
    case hhmm
    /// `true`, `t`, `yes`, `y`, `on` and `1` are 1; `false`, `f`, `no`, `n`, `off` and `0` are 0; in
    /// any case of letters.
    case boolean
    /// Minutes since midnight, with their fraction, of a date with a time or of a time alone
    /// (`05:15:30` is 315.5); a date alone is midnight.
    case minuteOfDay
    /// The day of the week: Monday is 0, Sunday 6.
    case dayOfWeek
    /// The day of the year, from 1 to 366.
    case dayOfYear
    /// The month, from 1 to 12.
    case monthOfYear
    /// The year.
    case year
    /// Days since 1970-01-01T00:00Z, with their fraction. A time without a distance from UTC is
    /// taken for UTC. In float32 steps are 1.4 to 2.8 minutes in these decades.
    case daysSinceEpoch
}
