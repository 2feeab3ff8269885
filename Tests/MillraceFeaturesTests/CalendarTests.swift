import MillraceFeatures
import Testing

@Suite("Dates and times")
struct CalendarTests {
    private func value(_ format: NumberFormat, _ text: String) throws -> Float? {
        let specification = try FeatureSpecification(
            schema: RowSchema(columns: ["t"]),
            features: [
                FrozenFeature(column: "t", encoding: .number(NumberEncoding(format: format)))
            ])
        return features(specification, text)?.first
    }

    @Test(
        arguments: [
            (.minuteOfDay, "2013-01-31T05:15:30", 315.5), (.minuteOfDay, "05:15", 315),
            (.minuteOfDay, "2013-01-31", 0), (.minuteOfDay, "2013-01-31 24:00", 1440),
            (.minuteOfDay, "2013-01-31T23:59:60Z", 1440),
            // As it is written: the distance from UTC plays no part.
            (.minuteOfDay, "2013-01-31t05:15:00.25-08:00", 315 + 0.25 / 60),
            (.dayOfWeek, "1970-01-01", 3), (.dayOfWeek, "2026-11-29T10:00Z", 6),
            (.dayOfWeek, "1969-12-29", 0), (.dayOfWeek, "0001-01-01", 0),
            (.dayOfYear, "2024-12-31", 366), (.dayOfYear, "2023-12-31", 365),
            (.dayOfYear, "2024-03-01", 61), (.monthOfYear, "2024-03-01", 3),
            (.year, "2024-03-01", 2024),
            (.daysSinceEpoch, "1970-01-01", 0), (.daysSinceEpoch, "1970-01-02T12:00Z", 1.5),
            (.daysSinceEpoch, "1970-01-02T12:00+06:00", 1.25),
            (.daysSinceEpoch, "1970-01-02T12:00-0600", 1.75),
            (.daysSinceEpoch, "1970-01-02T12:00+06", 1.25),
            (.daysSinceEpoch, "1969-12-31", -1), (.daysSinceEpoch, "2000-02-29", 11016),
            (
                .daysSinceEpoch, "1970-01-01T06:00:00.123456789012Z",
                0.25 + Float(0.123456789 / 86400)
            ),
        ] as [(NumberFormat, String, Float)])
    func areRead(_ format: NumberFormat, _ text: String, _ expected: Float) throws {
        #expect(try value(format, text) == expected)
    }

    @Test(arguments: [
        "2013-1-31", "2013-02-29", "2013-13-01", "2013-00-10", "2013-04-31", "2013-01-00",
        "20130131", "2013-01-31T", "2013-01-31T5:15", "2013-01-31T05", "2013-01-31T05:60",
        "2013-01-31T25:00", "2013-01-31T24:01", "2013-01-31T05:15:61", "2013-01-31T05:15:00.",
        "2013-01-31T05:15+", "2013-01-31T05:15+24:00", "2013-01-31T05:15+01:", "2013-01-31Z",
        "2013-01-31T05:15ZZ", "2013-01-31  05:15", "x013-01-31", "2013-01-31T05:15+1:00",
    ])
    func areRefused(_ text: String) throws {
        for format in NumberFormat.allCases where format != .plain && format != .hhmm {
            #expect(try value(format, text) == nil, "\(format)")
        }
    }

    @Test func aTimeAloneHasNoDay() throws {
        #expect(try value(.dayOfWeek, "05:15") == nil)
        #expect(try value(.daysSinceEpoch, "05:15") == nil)
    }

    /// Counted day by day, by the rules of the calendar and nothing else.
    @Test func everyDayFollowsTheOneBefore() throws {
        let specification = try FeatureSpecification(
            schema: RowSchema(columns: ["t"]),
            features: [NumberFormat.daysSinceEpoch, .dayOfWeek, .dayOfYear].map {
                FrozenFeature(column: "t", encoding: .number(NumberEncoding(format: $0)))
            })
        var encoder = RowEncoder(specification)
        var (days, weekday) = (-25567, 0)  // 1900-01-01 was a Monday, 25,567 days before 1970.
        func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        for year in 1900...2100 {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            var dayOfYear = 1
            for (month, length) in zip(
                1..., [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
            {
                for day in 1...length {
                    let text = "\(year)-\(padded(month))-\(padded(day))"
                    let row = encode(&encoder, Array(text.utf8)).row
                    guard row == [Float(days), Float(weekday), Float(dayOfYear)] else {
                        Issue.record("\(text): \(row)")
                        return
                    }
                    days += 1
                    weekday = (weekday + 1) % 7
                    dayOfYear += 1
                }
            }
        }
    }
}
