import MillraceFeatures
import MillraceInput
import MillraceSystem
import Testing

/// Rows that are not CSV.
@Suite("JSON Lines and plain lines as rows")
struct RowFieldsTests {
    private let columns = ["a", "b", "c", "unused"]

    private func specification(_ format: TextFormat = .jsonl) throws -> FeatureSpecification {
        try FeatureSpecification(
            schema: RowSchema(format, columns: columns),
            features: [
                FrozenFeature(column: "a", encoding: .number(NumberEncoding(indicator: true))),
                FrozenFeature(
                    column: "b", encoding: .oneHot(vocabulary: ["x\"y", "é", "true"], limit: 3)),
            ],
            label: LabelRule(column: "c", rule: .value))
    }

    private func row(_ text: String) throws -> [Float]? { features(try specification(), text) }

    private func fault(_ text: String) throws -> (RejectReason, Int)? {
        guard case .rejected(let reason, let column) = encode(try specification(), text).outcome
        else { return nil }
        return (reason, column)
    }

    @Test func membersAreFoundByName() throws {
        let plain = try row(#"{"a":1.5,"b":"é","c":2}"#)
        #expect(plain == [1.5, 0, 0, 1, 0, 0, 0])
        #expect(try row(#" { "c" : 2 , "z": {"a":[1,{"b":2}]}, "b":"é", "a" : 1.5e0 } "#) == plain)
        // Names and values with escapes are what they say.
        #expect(try row(#"{"\u0061":1.5,"\u0062":"\u00e9"}"#) == plain)
        #expect(try row(#"{"b":"x\"y","a":"1.5"}"#) == [1.5, 0, 1, 0, 0, 0, 0])
        #expect(try row(#"{"a":0,"b":true}"#) == [0, 0, 0, 0, 1, 0, 0])
        // What no feature is made from may be anything.
        #expect(try row(#"{"a":1.5,"unused":[{"a":2}],"b":"é"}"#) == plain)
        // The last of two counts.
        #expect(try row(#"{"a":7,"b":"q","a":0}"#) == [0, 0, 0, 0, 0, 1, 0])
    }

    @Test func whatIsNotThereIsMissing() throws {
        let missing: [Float] = [-999, 1, 0, 0, 0, 0, 1]
        for text in ["{}", #"{"a":null,"b":null}"#, #"{"a":"","b":""}"#, #"{"a":3,"a":null}"#] {
            #expect(try row(text) == missing)
        }
        guard case .encoded(let label, 0) = encode(try specification(), "{}").outcome else {
            Issue.record("an empty object is a row")
            return
        }
        #expect(label.isNaN)
    }

    @Test(
        arguments: [
            (#"{"a":1"#, .malformedJSON, -1), ("", .malformedJSON, -1), ("[1]", .malformedJSON, -1),
            (#"{"a":01}"#, .malformedJSON, -1), (#"{"a":1}x"#, .malformedJSON, -1),
            (#"{"a":tru}"#, .malformedJSON, -1), (#"{"b":"\x"}"#, .malformedJSON, -1),
            (#"{"a":{}}"#, .nestedValue, 0), (#"{"b":[]}"#, .nestedValue, 1),
            (#"{"a":"1x"}"#, .notANumber, 0), (#"{"a":true}"#, .notANumber, 0),
            (#"{"a":1,"c":"x"}"#, .notANumber, 2),
        ] as [(String, RejectReason, Int)])
    func unusableRowsAreTold(_ text: String, _ reason: RejectReason, _ column: Int) throws {
        let found = try #require(try fault(text))
        #expect(found == (reason, column))
        let said = try specification().explain(reason, column: column, line: Array(text.utf8).span)
        #expect(column < 0 || said.hasPrefix("member '\(columns[column])': "))
        #expect(said.contains(reason.description))
    }

    @Test func otherBytesThanUTF8AreRefused() throws {
        var encoder = RowEncoder(try specification())
        let bytes = Array(#"{"a":1,"b":""#.utf8) + [0xFF] + Array(#""}"#.utf8)
        #expect(encode(&encoder, bytes).outcome == .rejected(.invalidUTF8, column: -1))
    }

    @Test func aLineIsItsOnlyColumn() throws {
        let lines = try FeatureSpecification(
            schema: RowSchema(.lines, columns: [RowSchema.lineColumn]),
            features: [
                FrozenFeature(
                    column: "line", encoding: .oneHot(vocabulary: ["a,b", "\"q\""], limit: 2))
            ])
        #expect(features(lines, "a,b") == [1, 0, 0, 0])
        #expect(features(lines, "\"q\"") == [0, 1, 0, 0])
        #expect(features(lines, "") == [0, 0, 0, 1])
        #expect(throws: FeatureError.self) {
            try FeatureSpecification(
                schema: RowSchema(.lines, columns: ["a", "b"]),
                features: [FrozenFeature(column: "a", encoding: .hash(buckets: 2))])
        }
    }

    /// The same flights as CSV and as JSON, members in another order each time.
    @Test func realFlightsAreTheSameInBoth() throws {
        let csv = try Flights.specification()
        let json = try FeatureSpecification(
            schema: RowSchema(.jsonl, columns: csv.columns.reversed()), features: csv.features,
            label: csv.label, routes: csv.routes, missingValues: csv.missingValues)
        #expect(json.identifier != csv.identifier)
        var one = RowEncoder(csv)
        var other = RowEncoder(json)
        var random = SplitMix64(seed: 17)
        for line in Flights.lines.dropFirst().prefix(5000) {
            let values = line.split(separator: 0x2C, omittingEmptySubsequences: false).map {
                String(decoding: $0, as: UTF8.self)
            }
            let members = zip(csv.columns, values).map { name, value in
                value.isEmpty ? "\"\(name)\":null" : "\"\(name)\":\"\(value)\""
            }
            let text = "{" + members.shuffled(using: &random).joined(separator: ",") + "}"
            let (expected, row) = encode(&one, line)
            let (found, again) = encode(&other, Array(text.utf8))
            guard Encoded(expected, row) == Encoded(found, again) else {
                Issue.record("\(text): \(found), not \(expected)")
                return
            }
        }
    }

    /// Damaged objects are rows or reasons, never traps.
    @Test func noBytesTrap() throws {
        var encoder = RowEncoder(try specification())
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let seeds = [
            #"{"a":1.5,"b":"\u00e9\ud83d\ude00","c":2,"z":[{"q":null},true,-1e-7]}"#,
            #"{"\u0061":"","b":null}"#,
        ].map { Array($0.utf8) }
        for _ in 0..<20_000 {
            var bytes = seeds.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let at = Int.random(in: bytes.indices, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0 ... .max, using: &random)
                case 1: bytes.remove(at: at)
                default: bytes.insert(bytes[Int.random(in: bytes.indices, using: &random)], at: at)
                }
            }
            let (outcome, _) = encode(&encoder, bytes)
            if case .rejected(let reason, let column) = outcome {
                let text = try specification().explain(reason, column: column, line: bytes.span)
                #expect(!text.isEmpty, "seed \(seed)")
            }
        }
    }
}

/// Columns that are hashed together.
@Suite("Crossed columns")
struct CrossTests {
    private func specification(_ buckets: Int = 1000) throws -> FeatureSpecification {
        try FeatureSpecification(
            schema: RowSchema(columns: ["a", "b", "c"]),
            features: [
                FrozenFeature(column: "a", encoding: .cross(with: ["b", "c"], buckets: buckets))
            ])
    }

    private func bucket(_ line: String) throws -> Int? {
        features(try specification(), line)?.firstIndex(of: 1)
    }

    /// FNV-1a and MurmurHash3's finaliser, from their papers.
    private func expected(_ bytes: [UInt8]) -> Int {
        var hash: UInt64 = 14_695_981_039_346_656_037
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        hash ^= hash >> 33
        hash = hash &* 18_397_679_294_719_823_053
        hash ^= hash >> 33
        hash = hash &* 14_181_476_777_654_086_739
        hash ^= hash >> 33
        return Int(hash % 1000)
    }

    @Test func areHashedWithWhatStandsBetweenThem() throws {
        #expect(
            try bucket("UA,JFK,é")
                == expected(
                    Array("UA".utf8) + [0xFF] + Array("JFK".utf8) + [0xFF] + Array("é".utf8)))
        #expect(try bucket("ab,c,d") != bucket("a,bc,d"))
        #expect(try bucket("a,b,c") != bucket("b,a,c"))
        #expect(try specification().featureNames[7] == "a x b x c #7")
    }

    @Test func areAllZeroWhereOneIsMissing() throws {
        for line in [",b,c", "a,,c", "a,b,"] {
            #expect(features(try specification(8), line) == Array(repeating: 0, count: 8))
        }
    }

    @Test func cannotBeTheLabelOrThemselves() throws {
        func make(_ with: [String]) throws -> FeatureSpecification {
            try FeatureSpecification(
                schema: RowSchema(columns: ["a", "b", "y"]),
                features: [FrozenFeature(column: "a", encoding: .cross(with: with, buckets: 4))],
                label: LabelRule(column: "y", rule: .value))
        }
        #expect(try make(["b"]).width == 4)
        for with in [[], ["a"], ["b", "b"], ["y"], ["q"]] as [[String]] {
            #expect(throws: FeatureError.self) { try make(with) }
        }
    }
}
