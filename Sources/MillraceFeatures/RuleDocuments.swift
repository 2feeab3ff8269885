/// A test as it is stored; exactly one key is there.
struct TestDocument: Codable {
    var atMost: Double?
    var atLeast: Double?
    var lessThan: Double?
    var greaterThan: Double?
    var equals: String?
    var isIn: [String]?

    enum CodingKeys: String, CodingKey {
        case atMost, atLeast, lessThan, greaterThan, equals
        case isIn = "in"
    }

    init(_ test: ValueTest) {
        switch test {
        case .atMost(let bound): atMost = bound
        case .atLeast(let bound): atLeast = bound
        case .lessThan(let bound): lessThan = bound
        case .greaterThan(let bound): greaterThan = bound
        case .equals(let value): equals = value
        case .isIn(let values): isIn = values
        }
    }

    func test(at location: String) throws(FeatureError) -> ValueTest {
        let tests: [ValueTest?] = [
            atMost.map(ValueTest.atMost), atLeast.map(ValueTest.atLeast),
            lessThan.map(ValueTest.lessThan), greaterThan.map(ValueTest.greaterThan),
            equals.map(ValueTest.equals), isIn.map(ValueTest.isIn),
        ]
        let given = tests.compactMap { $0 }
        guard given.count == 1 else {
            throw SpecificationDocument.malformed(location, "not exactly one test")
        }
        return given[0]
    }
}

/// A label rule as it is stored: a test, a list of classes, or neither for the value itself.
struct LabelDocument: Codable {
    var column: String
    var missing: String
    var test: TestDocument?
    var classes: [String]?

    init(_ label: LabelRule) {
        column = label.column
        missing = label.missing.rawValue
        switch label.rule {
        case .test(let rule): test = TestDocument(rule)
        case .classes(let names): classes = names
        case .value: break
        }
    }

    func rule() throws(FeatureError) -> LabelRule {
        guard let missing = LabelRule.Missing(rawValue: missing) else {
            throw SpecificationDocument.malformed(
                "label", "there is no meaning '\(missing)' of a missing label")
        }
        let rule: LabelRule.Rule
        switch (test, classes) {
        case (nil, nil): rule = .value
        case (let test?, nil): rule = .test(try test.test(at: "label"))
        case (nil, let names?): rule = .classes(names)
        default: throw SpecificationDocument.malformed("label", "a test and classes")
        }
        return LabelRule(column: column, rule: rule, missing: missing)
    }
}

/// A route as it is stored; without any key it takes the rest.
struct RouteDocument: Codable {
    var column: String?
    var tests: [TestDocument]?
    var modulo: UInt64?
    var equals: UInt64?

    init(_ condition: Condition?) {
        switch condition {
        case nil: break
        case .column(let name, let all):
            column = name
            tests = all.map(TestDocument.init)
        case .offset(let divisor, let remainder):
            modulo = divisor
            equals = remainder
        }
    }

    func condition() throws(FeatureError) -> Condition? {
        switch (column, tests, modulo, equals) {
        case (nil, nil, nil, nil):
            return nil
        case (let column?, let tests?, nil, nil):
            return .column(
                column,
                try tests.map { (test) throws(FeatureError) in try test.test(at: "routes") })
        case (nil, nil, let modulo?, let equals?):
            return .offset(modulo: modulo, equals: equals)
        default:
            throw SpecificationDocument.malformed("routes", "neither a column's nor an offset's")
        }
    }
}
