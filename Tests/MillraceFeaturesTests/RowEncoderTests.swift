import Glibc
import MillraceFeatures
import MillraceInput
import MillraceSystem
import Testing

/// Encodes a flight by strings and dictionaries, following the documentation and no code.
private struct NaiveFlights {
    let carriers: [String]
    let dayEdges: [Double]

    private func minutes(_ text: String) -> Double {
        guard let value = Int(text) else { return .nan }
        return Double(value / 100 * 60 + value % 100)
    }

    private func oneHot(_ known: [String], _ limit: Int, _ text: String) -> [Float] {
        var row = [Float](repeating: 0, count: limit + 2)
        row[text.isEmpty ? limit + 1 : known.firstIndex(of: text) ?? limit] = 1
        return row
    }

    private func buckets(_ edges: [Double], _ count: Int, _ text: String) -> [Float] {
        var row = [Float](repeating: 0, count: count + 1)
        row[Double(text).map { value in edges.filter { $0 <= value }.count } ?? count] = 1
        return row
    }

    private func hashed(_ text: String) -> [Float] {
        var row = [Float](repeating: 0, count: 64)
        if text.isEmpty { return row }
        var hash: UInt64 = 14_695_981_039_346_656_037
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        hash ^= hash >> 33
        hash = hash &* 18_397_679_294_719_823_053
        hash ^= hash >> 33
        hash = hash &* 14_181_476_777_654_086_739
        hash ^= hash >> 33
        row[Int(hash % 64)] = 1
        return row
    }

    func encode(_ line: [UInt8]) -> (label: Float, route: Int, row: [Float]) {
        let fields = line.split(separator: 0x2C, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        let arrival = minutes(fields[4]) / 1440 * 2 * Double.pi
        var row: [Float] = [Float(fields[3]) ?? .nan, Float(minutes(fields[2]))]
        row += [Float(sin(arrival)), Float(cos(arrival)), Float(fields[8]) ?? .nan]
        row += oneHot(carriers, 12, fields[5]) + oneHot(["JFK", "LGA"], 2, fields[6])
        row += hashed(fields[7]) + buckets(dayEdges, 4, fields[1])
        row += buckets([4, 7, 10], 4, fields[0])
        let label: Float = Double(fields[9]).map { $0 > 15 ? 1 : 0 } ?? .nan
        return (label, (Int(fields[0]) ?? 0) <= 10 ? 0 : 1, row)
    }
}

@Suite("Rows of real flights")
struct FlightEncodingTests {
    private func near(_ one: Float, _ other: Float) -> Bool {
        one.bitPattern == other.bitPattern || (one.isNaN && other.isNaN)
            || abs(one - other) <= 1.2e-7
    }

    @Test func agreeWithTheDocumentation() throws {
        let specification = try Flights.specification()
        guard case .oneHot(let carriers, 12) = specification.features[4].encoding,
            case .bucketize(let edges, 4) = specification.features[7].encoding
        else {
            Issue.record("the fitted parts are not there")
            return
        }
        // Counted and sorted by hand over the first 100,000 rows.
        let frequent = ["UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX", "FL", "AS"]
        #expect(carriers == frequent)
        #expect(edges == [7, 14, 21])
        let naive = NaiveFlights(carriers: carriers, dayEdges: edges)
        var encoder = RowEncoder(specification)
        var disagreements = 0
        var labelled = 0
        // Every seventh row: the naive way is slow.
        for index in stride(from: 1, to: Flights.lines.count, by: 7) {
            let line = Flights.lines[index]
            let (outcome, row) = encode(&encoder, line, offset: UInt64(index - 1))
            let expected = naive.encode(line)
            guard case .encoded(let label, let route) = outcome else {
                disagreements += 1
                continue
            }
            if !label.isNaN { labelled += 1 }
            let isSame =
                near(label, expected.label) && route == expected.route
                && zip(row, expected.row).allSatisfy(near) && row.count == expected.row.count
            if !isSame { disagreements += 1 }
        }
        #expect(disagreements == 0)
        #expect(labelled > 46_000)
    }

    @Test(arguments: Seeds.all)
    func haveTheSameBitsInAnyOrderAndEncoder(seed: UInt64) throws {
        let specification = try Flights.specification()
        let copy = try FeatureSpecification(json: specification.json())
        var random = SplitMix64(seed: seed)
        var order = (0..<3000).map { _ in random.number(in: 1...Flights.lines.count - 1) }
        // Rows that are rejected, quoted or strange must leave nothing behind.
        let strange = ["1,2", "\"", "1,1,515,\"\"\"\",819,UA,EWR,IAH,1400,11", "", ",,,,,,,,,"]
        var expected: [Int: Encoded] = [:]
        var first = RowEncoder(specification)
        for index in order {
            let (outcome, row) = encode(&first, Flights.lines[index], offset: UInt64(index))
            expected[index] = Encoded(outcome, row)
        }
        order.shuffle(using: &random)
        var second = RowEncoder(copy)
        var differences = 0
        for index in order {
            if random.next() % 4 == 0 { _ = encode(&second, Array(random.pick(strange).utf8)) }
            let (outcome, row) = encode(&second, Flights.lines[index], offset: UInt64(index))
            if Encoded(outcome, row) != expected[index] { differences += 1 }
        }
        #expect(differences == 0)
    }

    @Test(arguments: Seeds.all)
    func damagedRowsNeverTrap(seed: UInt64) throws {
        var encoder = RowEncoder(try Flights.specification())
        let specification = try Flights.specification()
        var random = SplitMix64(seed: seed)
        var rejected = 0
        for _ in 0..<4000 {
            var line = random.pick(Flights.lines)
            for _ in 0..<random.number(in: 1...4) {
                let position = random.number(in: 0...max(line.count - 1, 0))
                switch random.next() % 3 {
                case 0: line.insert(UInt8(random.next() & 0xFF), at: min(position, line.count))
                case 1 where !line.isEmpty: line.remove(at: position)
                default: if !line.isEmpty { line[position] = UInt8(random.next() & 0xFF) }
                }
            }
            let (outcome, row) = encode(&encoder, line)
            switch outcome {
            case .encoded:
                #expect(!row.contains(-123), "a feature was not written")
            case .rejected(let reason, let column):
                rejected += 1
                #expect(column >= -1)
                let words = specification.explain(reason, column: column, line: line.span)
                #expect(!words.isEmpty)
            }
        }
        #expect(rejected > 100)
    }
}

@Suite("Encodings")
struct EncodingTests {
    private func one(
        _ encoding: FeatureDefinition.Encoding, _ values: [String] = [],
        missing: [String] = [""]
    ) throws -> FeatureSpecification {
        let definition = PreprocessDefinition(
            features: [FeatureDefinition(column: "a", encoding: encoding)], missingValues: missing)
        return try fit(definition, ["a"] + values)
    }

    @Test func numbersKeepTheirUnitAndMissingOnesStayNaN() throws {
        let plain = try one(.number(NumberEncoding(scale: .standard, impute: .mean)))
        #expect(features(plain, "-12.5") == [-12.5])
        #expect(features(plain, "") == [-999])
        #expect(features(plain, "\"7\"") == [7])
        #expect(encode(plain, "x").outcome == .rejected(.notANumber, column: 0))
        #expect(encode(plain, "NA").outcome == .rejected(.notANumber, column: 0))
        #expect(encode(plain, "1e39").outcome == .rejected(.numberOutOfRange, column: 0))
        #expect(plain.policies == [FeaturePolicy(isScaled: true, impute: .mean)])
        let other = try one(.number(NumberEncoding()), missing: ["NA", "-"])
        #expect(features(other, "NA") == [-999])
        #expect(features(other, "-") == [-999])
        #expect(encode(other, "").outcome == .rejected(.notANumber, column: 0))
    }

    @Test func timesAreMinutesSinceMidnight() throws {
        let time = try one(.number(NumberEncoding(format: .hhmm)))
        for (text, minutes) in [
            ("0", 0), ("5", 5), ("515", 315), ("0515", 315), ("2359", 1439), ("2400", 1440),
        ] as [(String, Float)] { #expect(features(time, text) == [minutes]) }
        for text in ["60", "2401", "2460", "2500", "12345", "-5", "5.0", "5:15", " 515"] {
            #expect(encode(time, text).outcome == .rejected(.notATime, column: 0), "\(text)")
        }
    }

    @Test func cyclicNumbersGoRound() throws {
        let time = try one(.number(NumberEncoding(format: .hhmm, period: 1440)))
        #expect(features(time, "600") == [1, 0])
        #expect(features(time, "0") == features(time, "2400"))
        #expect(features(time, "") == [-999, -999])
        #expect(time.featureNames == ["a (sin)", "a (cos)"])
        let tiny = try one(
            .number(NumberEncoding(format: .hhmm, period: .leastNonzeroMagnitude)))
        #expect(features(tiny, "2359") == [0, 1])
        let number = try one(.number(NumberEncoding(period: 7)))
        var worst: Float = 0
        for step in -2000...2000 {
            let value = Double(step) / 16
            guard let row = features(number, "\(value)") else {
                Issue.record("\(value) is a number")
                return
            }
            let angle = value / 7 * 2 * Double.pi
            worst = max(worst, abs(row[0] - Float(sin(angle))), abs(row[1] - Float(cos(angle))))
        }
        #expect(worst <= 1.2e-7)
    }

    @Test func oneHotKeepsTheMostFrequentThenRareThenMissing() throws {
        let values = ["b", "b", "c", "c", "a", "", "d", "d", "d", "\"x,\"\"y\"", "e"]
        let fitted = try one(.oneHot(.auto(limit: 3)), values)
        #expect(fitted.featureNames == ["a=d", "a=b", "a=c", "a (rare)", "a (missing)"])
        #expect(features(fitted, "d") == [1, 0, 0, 0, 0])
        #expect(features(fitted, "c") == [0, 0, 1, 0, 0])
        #expect(features(fitted, "a") == [0, 0, 0, 1, 0])
        #expect(features(fitted, "never seen") == [0, 0, 0, 1, 0])
        #expect(features(fitted, "") == [0, 0, 0, 0, 1])
        let wide = try one(.oneHot(.auto(limit: 8)), values)
        #expect(wide.width == 10)
        #expect(features(wide, "\"x,\"\"y\"") == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
        #expect(features(wide, "\"d\"") == features(wide, "d"))
        #expect(wide.featureNames[6] == "a (unused 6)")
        let listed = try one(.oneHot(.listed(["é", "e"])))
        #expect(features(listed, "é") == [1, 0, 0, 0])
        #expect(features(listed, "E") == [0, 0, 1, 0])
    }

    @Test func largeVocabulariesFindEveryValue() throws {
        let names = (0..<5000).map { "value-\($0)" }
        let specification = try one(.oneHot(.listed(names)))
        var encoder = RowEncoder(specification)
        for (index, name) in names.enumerated() {
            let row = encode(&encoder, Array(name.utf8)).row
            #expect(row[index] == 1 && row.reduce(0, +) == 1)
        }
    }

    @Test func hashesAreStable() throws {
        let hashed = try one(.hash(buckets: 16))
        #expect(features(hashed, "")?.allSatisfy { $0 == 0 } == true)
        let places = ["IAH", "MIA", "BQN", "ORD", "é"].map {
            features(hashed, $0)?.firstIndex(of: 1)
        }
        #expect(places == [15, 7, 0, 4, 11])
    }

    @Test func bucketsSplitAtTheirEdges() throws {
        let listed = try one(.bucketize(.listed([0, 10])))
        #expect(features(listed, "-1") == [1, 0, 0, 0])
        #expect(features(listed, "0") == [0, 1, 0, 0])
        #expect(features(listed, "9.99") == [0, 1, 0, 0])
        #expect(features(listed, "10") == [0, 0, 1, 0])
        #expect(features(listed, "") == [0, 0, 0, 1])
        let fitted = try one(.bucketize(.auto(count: 4)), (1...100).map(String.init))
        #expect(fitted.features[0].encoding == .bucketize(edges: [26, 51, 76], count: 4))
        let equal = try one(.bucketize(.auto(count: 4)), ["5", "5", "5", "5", "6", "x", ""])
        #expect(equal.features[0].encoding == .bucketize(edges: [], count: 4))
        #expect(features(equal, "5") == features(equal, "6"))
        let empty = try one(.bucketize(.auto(count: 3)))
        #expect(features(empty, "17") == [1, 0, 0, 0])
    }

    @Test func rowsThatAreNotRowsAreRejected() throws {
        let definition = PreprocessDefinition(features: [
            FeatureDefinition(column: "a", encoding: .number(NumberEncoding())),
            FeatureDefinition(column: "c", encoding: .hash(buckets: 2)),
        ])
        let specification = try fit(definition, ["a,b,c"])
        #expect(encode(specification, "1,2").outcome == .rejected(.wrongColumnCount, column: -1))
        #expect(
            encode(specification, "1,2,3,4").outcome == .rejected(.wrongColumnCount, column: -1))
        #expect(encode(specification, "").outcome == .rejected(.wrongColumnCount, column: -1))
        #expect(encode(specification, "1,\"2,3").outcome == .rejected(.malformedQuoting, column: 1))
        #expect(
            encode(specification, "\"1\"2,3,4").outcome == .rejected(.malformedQuoting, column: 0))
        var encoder = RowEncoder(specification)
        let binary: [UInt8] = Array("1,2,x".utf8) + [0xC3]
        #expect(encode(&encoder, binary).outcome == .rejected(.invalidUTF8, column: 2))
        let words = specification.explain(
            .notANumber, column: 0, line: Array("x\u{1},2,3".utf8).span)
        #expect(words == "column 1 (a): not a number: 'x\\x01'")
        let count = specification.explain(
            .wrongColumnCount, column: -1, line: Array("1,2".utf8).span)
        #expect(count == "expected 3 fields, found 2")
    }

    @Test func messagesShowTextAndNothingElse() throws {
        let specification = try one(.number(NumberEncoding()))
        func words(_ line: [UInt8]) -> String {
            specification.explain(.notANumber, column: 0, line: line.span)
        }
        #expect(words(Array("zwölf".utf8)).hasSuffix("'zwölf'"))
        #expect(words(Array("\u{1B}[2J\u{202E}x".utf8)).hasSuffix("'\\x1b[2J\\xe2\\x80\\xaex'"))
        #expect(words([0x61, 0xFF]).hasSuffix("'a\\xff'"))
        #expect(words([UInt8](repeating: 0x78, count: 99)).hasSuffix("xxx'..."))
    }

    @Test func textsAreTheSameOnlyWithTheSameBytes() throws {
        // The same letter, composed and decomposed.
        let fitted = try one(.oneHot(.auto(limit: 2)), ["\u{E9}", "e\u{301}", "e\u{301}"])
        #expect(features(fitted, "e\u{301}") == [1, 0, 0, 0])
        #expect(features(fitted, "\u{E9}") == [0, 1, 0, 0])
        let again = try FeatureSpecification(json: fitted.json())
        #expect(again.identifier == fitted.identifier)
        #expect(features(again, "\u{E9}") == [0, 1, 0, 0])
    }

    @Test func reasonsAreStable() {
        #expect(RejectReason.allCases.map(\.rawValue) == Array(1...13))
        #expect(Set(RejectReason.allCases.map(\.name)).count == 13)
    }
}
