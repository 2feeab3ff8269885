internal import MillraceInput

/// How one text becomes one number: read, clipped, its logarithm taken, scaled.
struct CompiledNumber: Sendable {
    /// What became of a text.
    enum Outcome {
        case number(Double)
        case rejected(RejectReason)
    }

    private let format: NumberFormat
    private let low: Double
    private let high: Double
    private let log1p: Bool
    private let shift: Double
    private let divisor: Double
    /// The number's period; 0 where it has none.
    let period: Double

    init(_ encoding: NumberEncoding) {
        format = encoding.format
        low = encoding.clip?.lowerBound ?? -.infinity
        high = encoding.clip?.upperBound ?? .infinity
        log1p = encoding.log1p
        if case .minMax(let bounds?) = encoding.scale {
            shift = bounds.lowerBound
            let extent = bounds.upperBound - bounds.lowerBound
            divisor = extent == 0 ? 1 : extent
        } else {
            (shift, divisor) = (0, 1)
        }
        period = encoding.period ?? 0
    }

    /// The number that `text` becomes; one that a float32 cannot hold is rejected.
    func evaluate(_ text: Span<UInt8>) -> Outcome {
        var number: Double
        switch read(text) {
        case .rejected(let reason): return .rejected(reason)
        case .number(let read): number = read
        }
        number = min(max(number, low), high)
        guard number.isFinite else { return .rejected(.numberOutOfRange) }
        if log1p {
            guard number > -1 else { return .rejected(.outsideLogarithm) }
            number = Logarithm.onePlus(number)
        }
        number = (number - shift) / divisor
        return Float(number).isFinite ? .number(number) : .rejected(.numberOutOfRange)
    }

    private func read(_ text: Span<UInt8>) -> Outcome {
        switch format {
        case .plain:
            return NumberParser.double(text).map(Outcome.number) ?? .rejected(.notANumber)
        case .hhmm:
            return TimeOfDay.minutes(text).map { .number(Double($0)) } ?? .rejected(.notATime)
        case .boolean:
            return BooleanText.value(text).map(Outcome.number) ?? .rejected(.notABoolean)
        case .minuteOfDay:
            guard let time = CalendarTime(text) else { return .rejected(.notADate) }
            return .number(time.second / 60)
        case .dayOfWeek, .dayOfYear, .monthOfYear, .year, .daysSinceEpoch:
            guard let time = CalendarTime(text), let day = time.day else {
                return .rejected(.notADate)
            }
            return .number(part(of: time, day))
        }
    }

    private func part(of time: CalendarTime, _ day: Int) -> Double {
        switch format {
        case .dayOfWeek: return Double(CalendarTime.dayOfWeek(day))
        case .dayOfYear:
            let first = CalendarTime.daysSinceEpoch(year: time.year, month: 1, day: 1)
            return Double(day - first + 1)
        case .monthOfYear: return Double(time.month)
        case .year: return Double(time.year)
        default: return Double(day) + (time.second - Double(time.offset)) / 86_400
        }
    }
}
