import MillraceFeatures
import MillraceInput
import Testing

@Suite("Fitting")
struct FitterTests {
    private func failure(_ definition: PreprocessDefinition, _ header: String) -> FeatureError? {
        #expect(throws: FeatureError.self) { try fit(definition, [header]) }
    }

    @Test func patternsTakeMatchingColumnsButNotTheLabel() throws {
        let header = ((0..<64).map { "p\($0)" } + ["digit", "part"]).joined(separator: ",")
        var definition = PreprocessDefinition(
            features: [FeatureDefinition(column: "p*", encoding: .number(NumberEncoding()))],
            label: LabelRule(column: "part", rule: .value))
        let specification = try fit(definition, [header])
        #expect(specification.width == 64)
        #expect(specification.featureNames == (0..<64).map { "p\($0)" })
        definition.features = [FeatureDefinition(column: "*ig*t", encoding: .hash(buckets: 3))]
        #expect(try fit(definition, [header]).features.map(\.column) == ["digit"])
        definition.features = [FeatureDefinition(column: "q*", encoding: .hash(buckets: 3))]
        #expect(failure(definition, header)?.code == .unknownColumn)
    }

    @Test func unknownColumnsNameTheNearest() {
        let feature = FeatureDefinition(column: "dep_dely", encoding: .number(NumberEncoding()))
        let error = failure(PreprocessDefinition(features: [feature]), "month,dep_delay,arr_delay")
        #expect(error?.code == .unknownColumn)
        #expect(error?.location == "features[0]")
        #expect(error?.description.contains("did you mean 'dep_delay'?") == true)
    }

    @Test func definitionsThatMakeNoSenseAreRefused() {
        func definition(
            _ encoding: FeatureDefinition.Encoding, fitRows: Int = 10, routes: [Condition?] = [nil]
        ) -> PreprocessDefinition {
            PreprocessDefinition(
                features: [FeatureDefinition(column: "a", encoding: encoding)], routes: routes,
                fitRows: fitRows)
        }
        let bad = [
            PreprocessDefinition(features: []), definition(.hash(buckets: 0)),
            definition(.hash(buckets: 70_000)), definition(.oneHot(.auto(limit: 0))),
            definition(.oneHot(.auto(limit: .max))), definition(.oneHot(.listed(["x", "x"]))),
            definition(.oneHot(.listed([""]))), definition(.oneHot(.listed([]))),
            definition(.bucketize(.auto(count: -1))), definition(.bucketize(.listed([2, 1]))),
            definition(.bucketize(.listed([.nan]))), definition(.bucketize(.listed([.infinity]))),
            definition(.number(NumberEncoding(period: 0))),
            definition(.number(NumberEncoding(impute: .constant(.nan)))),
            definition(.number(NumberEncoding(impute: .constant(1), period: 7))),
            definition(.hash(buckets: 1), fitRows: 0), definition(.hash(buckets: 1), routes: []),
            definition(.hash(buckets: 1), routes: [nil, nil]),
            definition(.hash(buckets: 1), routes: [.column("b", [])]),
            definition(.hash(buckets: 1), routes: [.column("b", [.atMost(.nan)])]),
            definition(.hash(buckets: 1), routes: [.column("b", [.isIn([])])]),
        ]
        for definition in bad {
            #expect(failure(definition, "a,b")?.code == .invalidDefinition, "\(definition)")
        }
        let leak = PreprocessDefinition(
            features: [FeatureDefinition(column: "a", encoding: .hash(buckets: 2))],
            label: LabelRule(column: "a", rule: .value))
        #expect(failure(leak, "a,b")?.code == .invalidDefinition)
    }

    @Test func onlyTheFirstRowsCountAndBadOnesAreLeftOut() throws {
        let definition = PreprocessDefinition(
            features: [FeatureDefinition(column: "a", encoding: .oneHot(.auto(limit: 2)))],
            fitRows: 4)
        let header = try CSVHeader(names: ["a", "b"])
        var fitter = try SpecificationFitter(
            definition: definition, schema: RowSchema(columns: header.names))
        #expect(fitter.width == 4 && fitter.needsRows)
        for line in ["x,1", "y", "\"z", "x,2", "w,3", "w,4", "w,5"] {
            fitter.observe(Array(line.utf8).span)
        }
        #expect(fitter.rowsObserved == 4 && !fitter.needsRows)
        let frozen = try fitter.freeze()
        #expect(frozen.features[0].encoding == .oneHot(vocabulary: ["x"], limit: 2))
    }

    @Test func nothingIsReadWhereNothingIsOpen() throws {
        let definition = PreprocessDefinition(
            features: [FeatureDefinition(column: "a", encoding: .oneHot(.listed(["x"])))])
        let fitter = try SpecificationFitter(
            definition: definition, schema: RowSchema(columns: ["a"]))
        #expect(!fitter.needsRows)
        #expect(try fitter.freeze().width == 3)
    }
}
