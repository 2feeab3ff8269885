import MillraceFeatures
import MillraceSystem
import Testing

/// Lines of plain CSV are encoded by a kernel as far as it goes. Rows of JSON never are: both have to
/// become the same features, to the bit.
@Suite("The kernel for plain lines")
struct RowProgramTests {
    private static func encoding(
        _ crossed: String, _ random: inout SplitMix64
    ) -> FrozenFeature.Encoding {
        switch Int.random(in: 0..<9, using: &random) {
        case 0, 1: .number(NumberEncoding())
        case 2: .number(NumberEncoding(format: .hhmm))
        case 3: .number(NumberEncoding(scale: .standard, indicator: Bool.random(using: &random)))
        case 4:
            .oneHot(
                vocabulary: ["UA", "é", "-1", "12345678", "B6", "1234567", "\0A", "A"], limit: 9)
        case 5: .oneHot(vocabulary: [], limit: 1)
        case 6: .hash(buckets: Int.random(in: 1...70, using: &random))
        case 7:
            [
                .bucketize(edges: [-1.5, 0, 0.1, 7, 12345.75], count: 7),
                .bucketize(edges: (0..<50).map { Double($0 * 50 - 99) }, count: 60),
            ].randomElement(using: &random) ?? .hash(buckets: 2)
        default: .cross(with: [crossed], buckets: 9)
        }
    }

    private static func value(_ random: inout SplitMix64) -> String {
        let texts = [
            "", "NA", "-", ".", "-0", "0", "00012", "+3", ".5", "5.", "-.5", "1e3", "1.5e-3", " 1",
            "1 ",
            "2400", "2401", "2360", "515", "1.2.3", "--1", "9999999", "99999999", "999999999",
            "16777217", "33554435", "12345.75", "0.1", "-0.1", "0.0000001", "123456.7", "1234567.8",
            "UA", "B6", "é", "A", "1234567", "12345678", "AAAAAAAA", "0001", "nan", "inf", "0x1",
            "1/", ":", "12345678901234567890",
        ]
        switch Int.random(in: 0..<4, using: &random) {
        case 0: return texts.randomElement(using: &random) ?? ""
        case 1: return "\(Int.random(in: -99...2400, using: &random))"
        case 2: return "\(Int.random(in: -3_000_000_000...3_000_000_000, using: &random))"
        default:
            let places = Int.random(in: 0...6, using: &random)
            let digits = "\(Int.random(in: 0..<10_000_000, using: &random))"
            let point = max(digits.count - places, 0)
            return digits.prefix(point) + "." + digits.dropFirst(point)
        }
    }

    private static func test(_ random: inout SplitMix64) -> ValueTest {
        let bounds: [Double] = [-1.5, 0, 10, 515, 12345.75]
        let bound = bounds.randomElement(using: &random) ?? 0
        return switch Int.random(in: 0..<6, using: &random) {
        case 0: .atMost(bound)
        case 1: .atLeast(bound)
        case 2: .lessThan(bound)
        case 3: .equals("UA")
        case 4: .isIn(["0", "B6"])
        default: .greaterThan(bound)
        }
    }

    private static func label(_ random: inout SplitMix64) -> LabelRule? {
        guard random.next() % 5 > 0 else { return nil }
        let rules = [LabelRule.Rule.value, .test(test(&random)), .classes(["0", "1", "UA"])]
        let missing = [LabelRule.Missing.unlabelled, .negative, .reject]
        return LabelRule(
            column: "label", rule: rules.randomElement(using: &random) ?? .value,
            missing: missing.randomElement(using: &random) ?? .unlabelled)
    }

    private static func routes(_ columns: [String], _ random: inout SplitMix64) -> [Condition?] {
        let conditions: [Condition?] = (0..<Int.random(in: 1...3, using: &random)).map { _ in
            random.next() % 4 == 0
                ? .offset(modulo: 5, equals: 3)
                : .column(
                    columns.randomElement(using: &random) ?? "",
                    (0..<Int.random(in: 1...2, using: &random)).map { _ in test(&random) })
        }
        return random.next() % 2 == 0 ? conditions + [nil] : conditions
    }

    /// Features of columns at random, and sometimes a number of each of many neighbours.
    private static func features(
        _ columns: [String], _ random: inout SplitMix64
    ) -> [FrozenFeature] {
        var features = (0..<10).map { _ in
            // The last column is what others are crossed with.
            FrozenFeature(
                column: columns[Int.random(in: 0..<columns.count - 1, using: &random)],
                encoding: encoding(columns[columns.count - 1], &random))
        }
        if random.next() % 2 == 0 {
            let first = Int.random(in: 0..<columns.count, using: &random)
            let neighbours = columns[first...].map {
                FrozenFeature(column: $0, encoding: .number(NumberEncoding()))
            }
            features.insert(contentsOf: neighbours, at: 4)
        }
        return features
    }

    /// Without kernels, by every set of them, and from JSON: the same bits.
    @Test(arguments: [[""], ["", "NA"], [], ["", "0", "NA"]], [1, 7, 20, 90])
    func makesWhatTheOthersMake(_ missing: [String], columnCount: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<20 {
            var columns = (0...columnCount).map { "c\($0)" }
            let features = Self.features(columns, &random)
            columns.insert("label", at: Int.random(in: 0...columns.count, using: &random))
            let columnNames = columns
            let label = Self.label(&random)
            let routes = Self.routes(columns, &random)
            func specification(_ format: TextFormat) throws -> FeatureSpecification {
                try FeatureSpecification(
                    schema: RowSchema(format, columns: columnNames), features: features,
                    label: label, routes: routes, missingValues: missing)
            }
            let makers = RowEncoder.all(try specification(.csv))
            var other = RowEncoder(try specification(.jsonl))
            // Most fields are short numbers, or the first that is not would reject most lines.
            let rows = (0..<100).map { _ in
                columns.map { _ in
                    random.next() % UInt64(4 * columnCount) > 0
                        ? "\(Int.random(in: -999...2400, using: &random))" : Self.value(&random)
                }
            }
            let expected = rows.enumerated().map { offset, values in
                let members = zip(columns, values).map { "\"\($0)\":\"\($1)\"" }
                let line = Array("{\(members.joined(separator: ","))}".utf8)
                let (outcome, row) = encode(&other, line, offset: UInt64(offset))
                return Encoded(outcome, row)
            }
            for (name, make) in makers {
                var encoder = make()
                for (offset, values) in rows.enumerated() {
                    let line = values.joined(separator: ",")
                    let (outcome, row) = encode(
                        &encoder, Array(line.utf8), offset: UInt64(offset))
                    guard Encoded(outcome, row) == expected[offset] else {
                        Issue.record(
                            """
                            seed \(seed), kernels \(name): '\(line)' by \(features), \(routes): \
                            \(outcome), \(row), not \(expected[offset])
                            """
                        )
                        return
                    }
                }
            }
        }
    }

    /// Lines that no kernel takes become what they become without: quotes, another number of
    /// fields, bytes that are no UTF-8, next to nothing.
    @Test func leavesOtherLines() throws {
        let makers = RowEncoder.all(
            try FeatureSpecification(
                schema: RowSchema(columns: ["a", "b", "c"]),
                features: ["a", "b", "c"].map {
                    FrozenFeature(column: $0, encoding: .oneHot(vocabulary: ["1", "x"], limit: 3))
                }, missingValues: []))
        #expect(makers.count >= 2)
        let lines: [[UInt8]] =
            [
                "", ",", ",,", ",,,", "1,x,é", "\"1\",x,\"y\"\"\"", "\"1,x,1", "1,x,1,1", "1,x",
                String(repeating: "1", count: 63) + ",x,",
                String(repeating: "1", count: 62) + ",x,",
                String(repeating: ",", count: 200), "1,x," + String(repeating: "é", count: 99),
            ].map { Array($0.utf8) } + [[0x31, 0x2C, 0xFF, 0x2C, 0x31], [0xC3, 0x2C, 0xA9, 0x2C]]
        for line in lines {
            let found = makers.map { name, make in
                var encoder = make()
                let (outcome, row) = encode(&encoder, line)
                return Encoded(outcome, row)
            }
            #expect(found.allSatisfy { $0 == found[0] }, "\(line)")
        }
    }

    /// Every number of up to five digits, and of more at random: what the text says, rounded once.
    @Test func numbersAreTheNearest() throws {
        var encoder = RowEncoder(
            try FeatureSpecification(
                schema: RowSchema(columns: ["pad", "x"]),
                features: [FrozenFeature(column: "x", encoding: .number(NumberEncoding()))]))
        var random = SplitMix64(seed: 3)
        func check(_ text: String) -> Bool {
            ["", "12345678"].allSatisfy { pad in
                let row = encode(&encoder, Array("\(pad),\(text)".utf8)).row
                return row[0].bitPattern == Float(text)?.bitPattern
            }
        }
        for value in 0..<100_000 {
            guard check("\(value)"), check("-\(value)") else {
                Issue.record("\(value)")
                return
            }
        }
        for _ in 0..<100_000 {
            let digits = Int.random(in: 0..<100_000_000, using: &random)
            let scale = Int.random(in: 0...8, using: &random)
            var text = "\(digits)"
            while text.count <= scale { text = "0" + text }
            if scale > 0 { text.insert(".", at: text.index(text.endIndex, offsetBy: -scale)) }
            guard check(text) else {
                Issue.record("\(text)")
                return
            }
        }
    }
}
