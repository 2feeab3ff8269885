import MillraceFeatures
import MillraceInput
import MillraceSystem
import Testing

@Suite("Specifications")
struct SpecificationTests {
    private static let everything: [FrozenFeature] = [
        FrozenFeature(
            column: "a",
            encoding: .number(NumberEncoding(scale: .standard, impute: .constant(-0.1)))),
        FrozenFeature(column: "a", encoding: .number(NumberEncoding(impute: .mean, period: 7))),
        FrozenFeature(column: "b", encoding: .number(NumberEncoding(format: .hhmm))),
        FrozenFeature(
            column: "b",
            encoding: .number(
                NumberEncoding(
                    format: .dayOfWeek, clip: -0.5...6, log1p: true, scale: .minMax(0...1e-9),
                    indicator: true))),
        FrozenFeature(column: "b", encoding: .number(NumberEncoding(scale: .minMax(nil)))),
        FrozenFeature(column: "b", encoding: .cross(with: ["c", "a"], buckets: 5)),
        FrozenFeature(column: "b", encoding: .hash(buckets: 3)),
        FrozenFeature(column: "c", encoding: .oneHot(vocabulary: ["é/\"", "x"], limit: 4)),
        FrozenFeature(column: "c", encoding: .bucketize(edges: [-1.5, 1e-300, 1e300], count: 9)),
    ]

    private func make(
        features: [FrozenFeature] = everything, rule: LabelRule.Rule? = .test(.greaterThan(15)),
        routes: [Condition?] = [nil]
    ) throws(FeatureError) -> FeatureSpecification {
        try FeatureSpecification(
            schema: RowSchema(columns: ["a", "b", "c", "d"]), features: features,
            label: rule.map { LabelRule(column: "d", rule: $0) }, routes: routes,
            missingValues: ["", "NA"])
    }

    @Test func comeBackFromTheirJSON() throws {
        let rules: [LabelRule.Rule?] = [
            nil, .value, .classes(["u", "v"]), .test(.atMost(1)), .test(.atLeast(0.1)),
            .test(.lessThan(-3)), .test(.greaterThan(1e300)), .test(.equals("q")),
            .test(.isIn(["q", "r"])),
        ]
        var identifiers: Set<UInt32> = []
        for rule in rules {
            for routes in [
                [nil], [.offset(modulo: .max, equals: 7), nil],
                [.column("c", [.atLeast(1), .lessThan(9)]), .column("b", [.equals("é")])],
            ] as [[Condition?]] {
                let one = try make(rule: rule, routes: routes)
                let other = try FeatureSpecification(json: one.json())
                #expect(other == one)
                #expect(other.json() == one.json())
                #expect(other.identifier == one.identifier)
                identifiers.insert(one.identifier)
            }
        }
        #expect(identifiers.count == rules.count * 3)
    }

    /// What an older program would take for something else has a version that it refuses.
    @Test func onlyWhatIsNewNeedsTheNewVersion() throws {
        func version(
            _ encoding: FrozenFeature.Encoding, _ format: TextFormat = .csv
        ) throws -> Bool {
            let columns = format == .lines ? ["a"] : ["a", "b"]
            return try FeatureSpecification(
                schema: RowSchema(format, columns: columns),
                features: [FrozenFeature(column: "a", encoding: encoding)]
            ).json().contains("\"version\":2")
        }
        for old in [
            .number(NumberEncoding(format: .hhmm, scale: .standard, impute: .mean, period: 9)),
            .hash(buckets: 2), .oneHot(vocabulary: ["x"], limit: 1),
            .bucketize(edges: [1], count: 2),
        ] as [FrozenFeature.Encoding] {
            #expect(try !version(old))
            #expect(try version(old, .jsonl) && version(old, .lines))
        }
        for new in [
            .number(NumberEncoding(clip: 0...1)), .number(NumberEncoding(log1p: true)),
            .number(NumberEncoding(indicator: true)), .number(NumberEncoding(format: .year)),
            .number(NumberEncoding(scale: .minMax(nil))), .cross(with: ["b"], buckets: 2),
        ] as [FrozenFeature.Encoding] { #expect(try version(new)) }
    }

    @Test(arguments: TextFormat.allCases)
    func rowsOfEveryFormatComeBack(_ format: TextFormat) throws {
        let one = try FeatureSpecification(
            schema: RowSchema(format, columns: ["a"]),
            features: [FrozenFeature(column: "a", encoding: .hash(buckets: 2))])
        let other = try FeatureSpecification(json: one.json())
        #expect(other == one)
        #expect(other.schema.format == format)
    }

    @Test(arguments: [
        ("\"rows\":\"xml\"", "rows"), ("\"rows\":\"jsonl\",\"columns\":[\"a\",\"a\"]", "columns"),
    ])
    func rowsOfNoKnownFormatAreRefused(_ part: String, _ location: String) {
        let text = """
            {"features":[{"column":"a","kind":"hash","buckets":2}],"format":"millrace-features",
            "missing":[""],"routes":[{}],"version":1,\(part)
            \(part.contains("columns") ? "}" : ",\"columns\":[\"a\"]}")
            """
        let error = #expect(throws: FeatureError.self) { try FeatureSpecification(json: text) }
        #expect(error?.location == location)
    }

    @Test func haveOneStoredForm() throws {
        let specification = try FeatureSpecification(
            schema: RowSchema(columns: ["a", "b"]),
            features: [
                FrozenFeature(column: "a", encoding: .oneHot(vocabulary: ["x/y", "é"], limit: 3)),
                FrozenFeature(
                    column: "a",
                    encoding: .number(NumberEncoding(scale: .standard, impute: .constant(2.5)))),
            ],
            label: LabelRule(column: "b", rule: .test(.greaterThan(15))),
            routes: [.column("a", [.atMost(10)]), nil])
        #expect(
            specification.json() == """
                {"columns":["a","b"],"features":[{"column":"a","kind":"oneHot","limit":3,\
                "vocabulary":["x/y","é"]},{"column":"a","format":"plain","impute":"constant",\
                "imputeConstant":2.5,"kind":"number","scale":"standard"}],\
                "format":"millrace-features","label":{"column":"b","missing":"unlabelled",\
                "test":{"greaterThan":15}},"missing":[""],\
                "routes":[{"column":"a","tests":[{"atMost":10}]},{}],"version":1}
                """)
        #expect(specification.identifier == 1_640_093_677)
    }

    @Test func cutAnywhereAreMalformed() throws {
        let json = Array(try make().json().utf8)
        for count in 0..<json.count {
            let text = String(decoding: json[..<count], as: UTF8.self)
            let error = #expect(throws: FeatureError.self) { try FeatureSpecification(json: text) }
            #expect(error?.code == .malformedSpecification)
        }
    }

    @Test(arguments: Seeds.all)
    func damagedNeverTrap(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let json = Array(
            try make(routes: [.column("c", [.atLeast(1)]), .offset(modulo: 5, equals: 4)])
                .json().utf8)
        for _ in 0..<400 {
            var damaged = json
            for _ in 0..<random.number(in: 1...3) {
                let position = random.number(in: 0...damaged.count - 1)
                damaged[position] = random.pick(Array("0123456789-e\"{}[],:ax".utf8))
            }
            do {
                let read = try FeatureSpecification(
                    json: String(decoding: damaged, as: UTF8.self))
                _ = encode(read, "1,2,3,4")
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }

    @Test func otherDocumentsAreRefusedWithTheirReason() throws {
        let json = try make().json()
        func code(_ text: String) -> FeatureError.Code? {
            do throws(FeatureError) {
                _ = try FeatureSpecification(json: text)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code("[]") == .malformedSpecification)
        #expect(code("{}") == .malformedSpecification)
        #expect(code("{\"format\":\"other\",\"version\":1}") == .malformedSpecification)
        let changes: [(String, String, FeatureError.Code)] = [
            ("\"version\":2", "\"version\":3", .unsupportedVersion),
            ("\"version\":2", "\"version\":1e99", .malformedSpecification),
            ("\"kind\":\"hash\"", "\"kind\":\"hush\"", .malformedSpecification),
            ("\"buckets\":3", "\"buckets\":0", .invalidDefinition),
            ("\"buckets\":3", "\"buckets\":9223372036854775807", .invalidDefinition),
            ("\"limit\":4", "\"limit\":1", .invalidDefinition),
            ("\"limit\":4", "\"limit\":9223372036854775807", .invalidDefinition),
            ("\"limit\":4", "\"limit\":\"4\"", .malformedSpecification),
            ("\"x\"]", "\"NA\"]", .invalidDefinition),
            ("-1.5", "1.5", .invalidDefinition),
            ("\"period\":7", "\"period\":-7", .invalidDefinition),
            ("\"format\":\"hhmm\"", "\"format\":\"mmhh\"", .malformedSpecification),
            ("\"column\":\"d\"", "\"column\":\"e\"", .unknownColumn),
            ("\"column\":\"d\"", "\"column\":\"a\"", .invalidDefinition),
            ("\"missing\":\"unlabelled\"", "\"missing\":\"maybe\"", .malformedSpecification),
            ("[\"a\",\"b\",\"c\",\"d\"]", "[\"a\",\"b\",\"c\",\"c\"]", .invalidDefinition),
            ("\"routes\":[{}]", "\"routes\":[]", .invalidDefinition),
            ("\"routes\":[{}]", "\"routes\":[{},{}]", .invalidDefinition),
            ("\"routes\":[{}]", "\"routes\":[{\"modulo\":5}]", .malformedSpecification),
            (
                "\"routes\":[{}]", "\"routes\":[{\"modulo\":0,\"equals\":0}]", .invalidDefinition
            ),
        ]
        for (old, new, expected) in changes {
            let parts = json.split(separator: old, maxSplits: 1, omittingEmptySubsequences: false)
            try #require(parts.count == 2, "\(old) is not in the document")
            #expect(code(parts.joined(separator: new)) == expected, "\(new)")
        }
    }
}
