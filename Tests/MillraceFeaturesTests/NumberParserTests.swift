import Glibc
import MillraceInput
import MillraceSystem
import Testing

private func parsed(_ text: String) -> Double? { NumberParser.double(Array(text.utf8).span) }
private func parsedFloat(_ text: String) -> Float? { NumberParser.float(Array(text.utf8).span) }

/// Whether the texts read as the C library reads them, to the bit.
private func expectExact(_ text: String) {
    let wide = unsafe strtod(text, nil)
    let narrow = unsafe strtof(text, nil)
    #expect(parsed(text)?.bitPattern == wide.bitPattern, "\(text)")
    #expect(parsedFloat(text)?.bitPattern == narrow.bitPattern, "\(text)")
}

@Suite("Numbers")
struct NumberParserTests {
    @Test func hardCasesAreExact() {
        for text in [
            "0", "-0", "+0", "00", "1", "-1", ".5", "5.", "-.5e1", "+5.E-2", "1e0", "1E+00",
            "9007199254740993", "9007199254740992.5", "9007199254740993.0000000000000001",
            "16777217", "16777217.0000001", "1.00000005960464477539062", "8388609.5",
            "1.000000059604644775390625", "1.000000059604644775390626",
            "1.0000000596046447753906250000000000000000001", "3.4028235677973366e38",
            "3.40282356779733661637539395458142568447e38",
            "3.40282356779733661637539395458142568448e38", "1e39", "-1e400", "1e-400",
            "2.2250738585072011e-308", "2.2250738585072014e-308", "4.9406564584124654e-324",
            "2.4703282292062327e-324", "2.4703282292062328e-324", "1.7976931348623157e308",
            "1.7976931348623159e308", "7.2057594037927933e16", "1e23", "8.5e22", "1e22", "1e-22",
            "0.000000000000000000000000000000000000000000001", "123456789012345678901234567890",
            "6.631236846766476e-316", "9214843084008499e-25", "1e-45", "7e-46", "1.4e-45",
            "7.006492321624085354618e-46", "7.006492321624085354619e-46",
            "0.500000000000000166533453693773481063544750213623046875",
            "+.500000000000000166533453693773481063544750213623046876",
            "9223372036854775807", "18446744073709551616", "5e-324", "1e99999999999999999999",
            "1e-99999999999999999999", "0e99999999999", "100000000000000000000000000000e-29",
        ] { expectExact(text) }
    }

    @Test(arguments: Seeds.all)
    func randomNumbersAreExact(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<5_000 {
            var text = random.pick(["", "-", "+", ""])
            let digits = random.number(in: 1...(random.next() % 8 == 0 ? 60 : 20))
            let point = random.number(in: 0...digits)
            for index in 0..<digits {
                if index == point { text += "." }
                text += String(random.next() % 10)
            }
            if random.next() % 2 == 0 {
                let reach = random.pick([5, 30, 330])
                text += random.pick(["e", "E"]) + String(random.number(in: -reach...reach))
            }
            expectExact(text)
        }
    }

    @Test(arguments: Seeds.all)
    func whatPrintsReadsBack(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<5_000 {
            let wide = Double(bitPattern: random.next())
            if wide.isFinite { #expect(parsed("\(wide)") == wide) }
            let narrow = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
            if narrow.isFinite {
                #expect(parsedFloat("\(narrow)") == narrow)
                // The middle between two floats, from all sides.
                let middle = (Double(narrow) + Double(narrow.nextUp)) / 2
                if narrow.nextUp.isFinite {
                    expectExact("\(middle)")
                    expectExact("\(middle.nextUp)")
                    expectExact("\(middle.nextDown)")
                }
            }
        }
    }

    @Test func anythingElseIsNoNumber() {
        for text in [
            "", " ", "-", "+", ".", "-.", "e5", "1e", "1e+", "1e-", "1.2.3", "1 ", " 1", "1,0",
            "nan", "NaN", "inf", "-inf", "infinity", "0x10", "1_000", "--1", "+-1", "1e1.5", "1f",
            "١", "1\u{0}", "½",
        ] {
            #expect(parsed(text) == nil, "\(text)")
            #expect(parsedFloat(text) == nil, "\(text)")
        }
    }
}
