import MillraceCompute
import Testing

@Suite struct FloatScanTests {
    /// Finite numbers of any bits but those of the largest exponent.
    private static let finite: [Float] = (0..<45).map {
        $0 % 3 == 0 ? .greatestFiniteMagnitude : -Float($0) * .leastNonzeroMagnitude
    }

    @Test(arguments: [Float.infinity, -.infinity, .nan, -.nan, Float(bitPattern: 0x7F80_0001)])
    func oneNumberIsFoundWhereverItIs(number: Float) {
        for place in 0..<45 {
            var values = Self.finite
            values[place] = number
            for first in 0..<45 {
                let places = first..<min(first + 21, 45)
                let part = values.span.extracting(places)
                let (areFinite, isInfinite) = (
                    FloatScan.areFinite(part), FloatScan.hasInfinity(part)
                )
                let isThere = places.contains(place)
                #expect(areFinite == !isThere, "\(place) in \(places)")
                #expect(isInfinite == (isThere && number.isInfinite), "\(place) in \(places)")
            }
        }
    }

    @Test func finiteNumbersAreFinite() {
        for count in 0...45 {
            let part = Self.finite.span.extracting(0..<count)
            let (areFinite, isInfinite) = (
                FloatScan.areFinite(part), FloatScan.hasInfinity(part)
            )
            #expect(areFinite && !isInfinite, "\(count)")
        }
    }
}
