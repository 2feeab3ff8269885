import MillraceInput
import MillraceSystem
import Testing

/// Text of float32 numbers, against the standard library's shortest digits.
@Suite struct ShortestFloatTests {
    /// The digits and the exponent of a text, in one form for every way to write them.
    private struct Digits: Equatable {
        var isNegative = false
        var digits: [UInt8] = []
        var exponent = 0

        init(_ text: String) {
            var rest = Array(text.utf8)
            if rest.first == UInt8(ascii: "-") {
                isNegative = true
                rest.removeFirst()
            }
            if let mark = rest.firstIndex(of: UInt8(ascii: "e")) {
                exponent = Int(String(decoding: rest[(mark + 1)...], as: UTF8.self)) ?? .max
                rest = Array(rest[..<mark])
            }
            if let point = rest.firstIndex(of: UInt8(ascii: ".")) {
                exponent -= rest.count - point - 1
                rest.remove(at: point)
            }
            digits = Array(rest.drop { $0 == UInt8(ascii: "0") })
            while digits.last == UInt8(ascii: "0") {
                digits.removeLast()
                exponent += 1
            }
            if digits.isEmpty { exponent = 0 }
        }
    }

    private func check(_ value: Float) {
        let text = ShortestFloat.text(value)
        let bytes = Array(text.utf8)
        #expect(bytes.count <= ShortestFloat.maxBytes, "\(text)")
        guard value.isFinite else { return }
        #expect(Digits(text) == Digits(value.description), "\(value) as \(text)")
        let again = NumberParser.float(bytes.span)
        #expect(again?.bitPattern == value.bitPattern, "\(text)")
    }

    @Test func asWritten() {
        let texts: [(Float, String)] = [
            (0, "0"), (-0.0, "-0"), (1, "1"), (-1, "-1"), (16, "16"), (0.5, "0.5"),
            (-2.25, "-2.25"),
            (0.1, "0.1"), (1e-5, "0.00001"), (9.9999e-6, "9.9999e-6"), (1.5e-7, "1.5e-7"),
            (100, "100"), (16_777_216, "16777216"), (3e9, "3000000000"), (9.9e9, "9900000000"),
            (1e10, "1e10"), (1.25e20, "1.25e20"), (123_456.7, "123456.7"), (0.000123, "0.000123"),
            (.greatestFiniteMagnitude, "3.4028235e38"), (.leastNonzeroMagnitude, "1e-45"),
            (.leastNormalMagnitude, "1.1754944e-38"), (8_388_608.5, "8388608"),
            (4_194_304.5, "4194304.5"), (-0.000012345678, "-0.000012345678"),
        ]
        for (value, text) in texts {
            #expect(ShortestFloat.text(value) == text)
            check(value)
        }
        #expect(ShortestFloat.text(.nan) == "" && ShortestFloat.text(.infinity) == "inf")
        #expect(ShortestFloat.text(-.infinity) == "-inf")
        #expect(ShortestFloat.text(.nan, special: .json) == "null")
        #expect(ShortestFloat.text(.infinity, special: .json) == "\"inf\"")
        #expect(ShortestFloat.text(-.infinity, special: .json) == "\"-inf\"")
    }

    /// The neighbours of every power of two and of ten, and the ends of every exponent.
    @Test func edges() {
        for exponent in UInt32(0)..<255 {
            for fraction: UInt32 in [0, 1, 2, 3, 0x40_0000, 0x7F_FFFD, 0x7F_FFFE, 0x7F_FFFF] {
                check(Float(bitPattern: exponent << 23 | fraction))
            }
        }
        // Whole numbers far apart: a round one in the middle between two belongs to the even one.
        for exponent in UInt32(151)...170 {
            for step in UInt32(0)..<400 {
                check(Float(bitPattern: exponent << 23 | (step &* 20_971 & 0x7F_FFFF)))
            }
        }
        for exponent in -45...38 {
            guard let power = Float("1e\(exponent)") else { continue }
            for value in [power, power.nextUp, power.nextDown, power * 5, power * 9] {
                check(value)
            }
        }
    }

    /// Every number that half as many bits can say, and numbers of all magnitudes at random.
    @Test func many() {
        for bits in UInt16(0)...UInt16.max { check(Float(bitPattern: UInt32(bits) << 16)) }
        var random = SplitMix64(seed: 8)
        for _ in 0..<60_000 { check(Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))) }
        for _ in 0..<20_000 {
            check(Float(Int(random.next() % 200_000) - 100_000) / 1000)
            check(Float(random.unit()))
        }
    }

    @Test func rows() {
        let values: [Float] = [1, .nan, -0.25, 1e30]
        var text = [UInt8](repeating: 0x78, count: 200)
        var target = text.mutableSpan
        let end = ShortestFloat.write(values.span, into: &target, at: 3, special: .json)
        #expect(String(decoding: text[..<end], as: UTF8.self) == "xxx1,null,-0.25,1e30")
        let none: [Float] = []
        var same = text.mutableSpan
        let unmoved = ShortestFloat.write(none.span, into: &same, at: 80, special: .csv)
        #expect(unmoved == 80)
    }
}
