import MillraceFeatures
import MillraceSystem
import Testing

/// Lines of plain CSV are encoded by a kernel as far as it goes. Rows of JSON never are: both have to
/// become the same features, to the bit.
@Suite("The kernel for plain lines")
struct RowProgramTests {
    private static let columns = (0..<7).map { "c\($0)" }

    private static func encoding(_ random: inout SplitMix64) -> FrozenFeature.Encoding {
        switch Int.random(in: 0..<9, using: &random) {
        case 0, 1: .number(NumberEncoding())
        case 2: .number(NumberEncoding(format: .hhmm))
        case 3: .number(NumberEncoding(scale: .standard, indicator: Bool.random(using: &random)))
        case 4: .oneHot(vocabulary: ["UA", "é", "-1", "12345678", "B6"], limit: 6)
        case 5: .oneHot(vocabulary: [], limit: 1)
        case 6: .hash(buckets: Int.random(in: 1...70, using: &random))
        case 7: .bucketize(edges: [-1.5, 0, 0.1, 7, 12345.75], count: 7)
        default: .cross(with: [columns[6]], buckets: 9)
        }
    }

    private static func value(_ random: inout SplitMix64) -> String {
        let texts = [
            "", "NA", "-", ".", "-0", "0", "00012", "+3", ".5", "5.", "-.5", "1e3", "1.5e-3", " 1",
            "1 ",
            "2400", "2401", "2360", "515", "1.2.3", "--1", "9999999", "99999999", "999999999",
            "16777217", "33554435", "12345.75", "0.1", "-0.1", "0.0000001", "123456.7", "1234567.8",
            "UA", "B6", "é", "nan", "inf", "0x1", "1/", ":", "12345678901234567890",
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

    @Test(arguments: [[""], ["", "NA"], [], ["", "0", "NA"]])
    func makesWhatTheOthersMake(_ missing: [String]) throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<40 {
            let features = (0..<10).map { _ in
                // The last column is what others are crossed with.
                FrozenFeature(
                    column: Self.columns[Int.random(in: 0..<6, using: &random)],
                    encoding: Self.encoding(&random))
            }
            func specification(_ format: TextFormat) throws -> FeatureSpecification {
                try FeatureSpecification(
                    schema: RowSchema(format, columns: Self.columns), features: features,
                    missingValues: missing)
            }
            var kernel = RowEncoder(try specification(.csv))
            var other = RowEncoder(try specification(.jsonl))
            for _ in 0..<200 {
                let values = Self.columns.map { _ in Self.value(&random) }
                let line = values.joined(separator: ",")
                let members = zip(Self.columns, values).map { "\"\($0)\":\"\($1)\"" }
                let (expected, row) = encode(
                    &other, Array("{\(members.joined(separator: ","))}".utf8))
                let (found, again) = encode(&kernel, Array(line.utf8))
                guard Encoded(expected, row) == Encoded(found, again) else {
                    Issue.record(
                        "seed \(seed): '\(line)' by \(features): \(again), not \(row)")
                    return
                }
            }
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
