import MillraceFeatures
import Testing

@Suite("Labels and routes")
struct RuleTests {
    private func specification(
        label: LabelRule.Rule? = nil, missing: LabelRule.Missing = .unlabelled,
        routes: [Condition?] = [nil]
    ) throws -> FeatureSpecification {
        try FeatureSpecification(
            schema: RowSchema(columns: ["x", "y", "z"]),
            features: [FrozenFeature(column: "x", encoding: .number(NumberEncoding()))],
            label: label.map { LabelRule(column: "y", rule: $0, missing: missing) },
            routes: routes)
    }

    private func label(
        _ rule: LabelRule.Rule?, _ value: String, missing: LabelRule.Missing = .unlabelled
    ) throws -> Float? {
        let specification = try specification(label: rule, missing: missing)
        guard case .encoded(let label, _) = encode(specification, "1,\(value),3").outcome else {
            return nil
        }
        return label
    }

    private func route(_ routes: [Condition?], _ line: String, offset: UInt64 = 0) throws -> Int? {
        let specification = try specification(routes: routes)
        guard case .encoded(_, let route) = encode(specification, line, offset: offset).outcome
        else { return nil }
        return route
    }

    @Test func labelsFollowTheirRule() throws {
        #expect(try label(.test(.greaterThan(15)), "15.5") == 1)
        #expect(try label(.test(.greaterThan(15)), "15") == 0)
        #expect(try label(.test(.atLeast(15)), "15") == 1)
        #expect(try label(.test(.lessThan(15)), "15") == 0)
        #expect(try label(.test(.atMost(15)), "15") == 1)
        #expect(try label(.test(.equals("late")), "late") == 1)
        #expect(try label(.test(.equals("late")), "Late") == 0)
        #expect(try label(.test(.isIn(["4", "7"])), "4.0") == 1)
        #expect(try label(.value, "-2.25") == -2.25)
        #expect(try label(.classes(["ham", "spam"]), "spam") == 1)
        #expect(try label(.classes(["0", "1", "2"]), "02") == 2)
        #expect(try label(nil, "anything")?.isNaN == true)
    }

    @Test func labelsThatCannotBeAreRejected() throws {
        func outcome(_ rule: LabelRule.Rule, _ value: String) throws -> RowOutcome {
            encode(try specification(label: rule), "1,\(value),3").outcome
        }
        #expect(try outcome(.test(.greaterThan(15)), "late") == .rejected(.notANumber, column: 1))
        #expect(try outcome(.value, "late") == .rejected(.notANumber, column: 1))
        #expect(try outcome(.value, "1e50") == .rejected(.numberOutOfRange, column: 1))
        #expect(try outcome(.classes(["a"]), "b") == .rejected(.unknownClass, column: 1))
    }

    @Test func missingLabelsMeanWhatTheRuleSays() throws {
        for rule in [.value, .test(.equals("")), .classes(["a"])] as [LabelRule.Rule] {
            #expect(try label(rule, "")?.isNaN == true)
            #expect(try label(rule, "", missing: .negative) == 0)
            let specification = try specification(label: rule, missing: .reject)
            #expect(encode(specification, "1,,3").outcome == .rejected(.missingLabel, column: 1))
        }
    }

    @Test func theFirstRouteThatHoldsIsTaken() throws {
        let routes: [Condition?] = [
            .column("y", [.atMost(10)]), .column("z", [.isIn(["a", "b"])]), nil,
        ]
        #expect(try route(routes, "1,10,a") == 0)
        #expect(try route(routes, "1,11,a") == 1)
        #expect(try route(routes, "1,11,c") == 2)
        #expect(try route(Array(routes.dropLast()), "1,11,c") == -1)
    }

    @Test func allTestsOfAConditionHaveToHold() throws {
        let routes: [Condition?] = [.column("y", [.greaterThan(3), .lessThan(6)])]
        #expect(try route(routes, "1,3,c") == -1)
        #expect(try route(routes, "1,4,c") == 0)
        #expect(try route(routes, "1,6,c") == -1)
    }

    @Test func missingValuesPassNoTestAndStrangeOnesAreRejected() throws {
        let routes: [Condition?] = [.column("y", [.atMost(10)]), nil]
        #expect(try route(routes, "1,,c") == 1)
        #expect(try route([.column("y", [.equals("")]), nil], "1,,c") == 1)
        let specification = try specification(routes: routes)
        #expect(encode(specification, "1,x,c").outcome == .rejected(.notANumber, column: 1))
    }

    @Test func offsetsSplitRowsByRemainder() throws {
        let routes: [Condition?] = [.offset(modulo: 5, equals: 4), nil]
        for offset in 0..<20 as Range<UInt64> {
            #expect(try route(routes, "1,2,3", offset: offset) == (offset % 5 == 4 ? 0 : 1))
        }
        #expect(try route(routes, "1,2,3", offset: .max) == 1)
    }
}
