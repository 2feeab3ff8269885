import MillraceReport
import Testing

@Suite struct ReportNumberTests {
    @Test(arguments: [
        (0, "0"), (999, "999"), (1000, "1,000"), (336_776, "336,776"), (-1_234_567, "-1,234,567"),
        (Int.max, "9,223,372,036,854,775,807"), (Int.min, "-9,223,372,036,854,775,808"),
    ])
    func counts(value: Int, text: String) {
        #expect(NumberText.count(value) == text)
    }

    @Test(arguments: [
        (0.0, 2, "0.00"), (1234.5, 2, "1,234.50"), (0.88549, 4, "0.8855"), (-0.001, 2, "0.00"),
        (0.999, 2, "1.00"), (-12.5, 0, "-13"), (Double.nan, 2, "–"), (1e300, 1, "1e+300"),
        (.infinity, 0, "–"), (1e14, 9, "100,000,000,000,000.000"),
    ])
    func fixed(value: Double, decimals: Int, text: String) {
        #expect(NumberText.fixed(value, decimals) == text)
    }

    @Test(arguments: [
        (1_240_000.0, "1.24 M"), (336_776, "337 k"), (12, "12"), (0, "0"), (12.34, "12.3"),
        (999, "999"), (999.7, "1.00 k"), (999_700, "1.00 M"), (-5_000, "-5.00 k"),
        (1e21, "1,000,000 P"), (.nan, "–"),
    ])
    func compact(value: Double, text: String) {
        #expect(NumberText.compact(value) == text)
    }

    @Test(arguments: [(0, "0 B"), (512, "512 B"), (3_200_000, "3.20 MB"), (17_500, "17.5 kB")])
    func bytes(value: Int, text: String) {
        #expect(NumberText.bytes(value) == text)
    }

    @Test(arguments: [
        (0.88331, 4, "0.8833"), (1234.6, 3, "1,235"), (0, 3, "0"), (0.000123456, 3, "0.000123"),
        (1e-300, 3, "1e-300"), (9.999, 2, "10"), (0.09996, 3, "0.100"),
    ])
    func significant(value: Double, digits: Int, text: String) {
        #expect(NumberText.significant(value, digits) == text)
    }

    @Test(arguments: [
        (0.00085, "850 µs"), (0.0123, "12.3 ms"), (4.25, "4.3 s"), (99.94, "99.9 s"),
        (125.0, "2 min 05 s"), (3600.0, "60 min 00 s"), (.nan, "–"),
        (1e12, "1,000,000,000,000 s"),
    ])
    func durations(seconds: Double, text: String) {
        #expect(NumberText.duration(seconds: seconds) == text)
    }

    @Test func percents() {
        #expect(NumberText.percent(0.9951) == "99.5 %")
        #expect(NumberText.percent(1, decimals: 0) == "100 %")
    }
}
