import Glibc
import MillraceFeatures
import MillraceInput
import Testing

/// What is done with a number before it is a feature.
@Suite("Numbers on their way to a feature")
struct NumberEncodingTests {
    private func specification(_ number: NumberEncoding) throws -> FeatureSpecification {
        try FeatureSpecification(
            schema: RowSchema(columns: ["x"]),
            features: [FrozenFeature(column: "x", encoding: .number(number))])
    }

    private func feature(_ number: NumberEncoding, _ text: String) throws -> Float? {
        features(try specification(number), text)?.first
    }

    private func reason(_ number: NumberEncoding, _ text: String) throws -> RejectReason? {
        guard case .rejected(let reason, 0) = encode(try specification(number), text).outcome
        else { return nil }
        return reason
    }

    @Test func areClipped() throws {
        let clipped = NumberEncoding(clip: -1...2.5)
        for (text, expected) in [
            ("-7", -1), ("-1", -1), ("0.5", 0.5), ("2.5", 2.5), ("1e300", 2.5),
        ]
            as [(String, Float)]
        {
            #expect(try feature(clipped, text) == expected)
        }
        // Without bounds the same number is too large.
        #expect(try reason(NumberEncoding(log1p: true), "1e400") == .numberOutOfRange)
        #expect(try reason(clipped, "x") == .notANumber)
    }

    @Test func haveTheirLogarithmTaken() throws {
        let encoding = NumberEncoding(log1p: true)
        var specification = RowEncoder(try specification(encoding))
        var random = SystemRandomNumberGenerator()
        for step in 0..<20_000 {
            let magnitude = exp2(Double.random(in: -50...120, using: &random))
            let value = step % 3 == 0 ? -1 / (1 + magnitude) : magnitude
            let (outcome, row) = encode(&specification, Array("\(value)".utf8))
            let expected = Float(log1p(value))
            #expect(
                row[0] == expected || row[0] == expected.nextUp || row[0] == expected.nextDown,
                "log1p(\(value)): \(outcome), \(row[0]) for \(expected)")
        }
        #expect(try feature(encoding, "0") == 0)
        #expect(try reason(encoding, "-1") == .outsideLogarithm)
        #expect(try reason(encoding, "-2") == .outsideLogarithm)
        // Clipping comes first.
        #expect(try feature(NumberEncoding(clip: 0...1e9, log1p: true), "-2") == 0)
    }

    @Test func areBroughtBetweenBounds() throws {
        let scaled = NumberEncoding(scale: .minMax(10...30))
        #expect(try feature(scaled, "10") == 0)
        #expect(try feature(scaled, "30") == 1)
        #expect(try feature(scaled, "15") == 0.25)
        #expect(try feature(scaled, "50") == 2)
        #expect(try feature(NumberEncoding(scale: .minMax(7...7)), "9") == 2)
        #expect(try feature(NumberEncoding(scale: .minMax(nil)), "9") == 9)
        // The logarithm comes first: the bounds are those of the logarithms.
        let both = NumberEncoding(log1p: true, scale: .minMax(0...2))
        #expect(try feature(both, "\(exp(1.0) - 1)") == 0.5)
        #expect(try specification(scaled).policies == [FeaturePolicy()])
    }

    @Test func areBroughtBetweenTheBoundsThatWereSeen() throws {
        let definition = PreprocessDefinition(features: [
            FeatureDefinition(
                column: "x", encoding: .number(NumberEncoding(clip: -5...100, scale: .minMax(nil))))
        ])
        let fitted = try fit(definition, ["x", "20", "", "oops", "-50", "60"])
        #expect(
            fitted.features[0].encoding
                == .number(NumberEncoding(clip: -5...100, scale: .minMax(-5...60))))
        #expect(features(fitted, "-5") == [0])
        #expect(features(fitted, "60") == [1])
        let nothing = try fit(definition, ["x", "", "oops"])
        #expect(
            nothing.features[0].encoding
                == .number(NumberEncoding(clip: -5...100, scale: .minMax(nil))))
        var late = definition
        late.fitRows = 1
        let early = try fit(late, ["x", "20", "60"])
        #expect(
            early.features[0].encoding
                == .number(NumberEncoding(clip: -5...100, scale: .minMax(20...20))))
    }

    @Test func tellWhetherTheyAreMissing() throws {
        for (number, width) in [
            (NumberEncoding(impute: .mean, indicator: true), 2),
            (NumberEncoding(log1p: true, indicator: true), 2),
            (NumberEncoding(format: .hhmm, indicator: true, period: 1440), 3),
        ] {
            let specification = try specification(number)
            #expect(specification.width == width)
            #expect(specification.featureNames.last == "x (missing)")
            #expect(specification.policies.last == FeaturePolicy())
            #expect(specification.policies.dropLast().allSatisfy { $0.impute == number.impute })
            #expect(features(specification, "0")?.last == 0)
            let missing = try #require(features(specification, ""))
            #expect(missing == Array(repeating: -999, count: width - 1) + [1])
        }
    }

    @Test(
        arguments: [
            ("true", 1), ("T", 1), ("Yes", 1), ("y", 1), ("ON", 1), ("1", 1),
            ("FALSE", 0), ("f", 0), ("no", 0), ("N", 0), ("off", 0), ("0", 0),
        ] as [(String, Float)])
    func areReadFromTruthValues(_ text: String, _ expected: Float) throws {
        #expect(try feature(NumberEncoding(format: .boolean), text) == expected)
    }

    @Test(arguments: ["2", "tru", "truee", "-1", " true", "@rue", "o\u{e}"])
    func areNotReadFromOtherWords(_ text: String) throws {
        #expect(try reason(NumberEncoding(format: .boolean), text) == .notABoolean)
    }

    @Test func definitionsThatMakeNoSenseAreRefused() throws {
        for number in [
            NumberEncoding(clip: 0 ... .infinity), NumberEncoding(scale: .minMax(-1e300...1)),
            NumberEncoding(scale: .minMax(0...1), period: 7),
        ] {
            let error = #expect(throws: FeatureError.self) { try specification(number) }
            #expect(error?.code == .invalidDefinition)
        }
    }
}
