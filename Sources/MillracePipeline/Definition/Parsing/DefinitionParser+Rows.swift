internal import MillraceFeatures

/// Where rows go, and what their label is.
extension DefinitionParser {
    private enum RouteKey: String, CaseIterable {
        case topic
        case condition = "where"
    }

    private enum ConditionKey: String, CaseIterable {
        case column, offset, atMost, atLeast, lessThan, greaterThan, equals
        case isIn = "in"
    }

    private enum OffsetKey: String, CaseIterable {
        case modulo, equals
    }

    private enum LabelKey: String, CaseIterable {
        case column, atMost, atLeast, lessThan, greaterThan, equals
        case isIn = "in"
        case value
        case classes = "class"
        case missing
    }

    /// One topic for all rows, or a list of topics with conditions.
    func routes(
        _ value: YAMLValue
    ) throws(PipelineError) -> (topics: [Reference], conditions: [Condition?]) {
        guard case .list(let list) = value.content else {
            let name = try decoder.text(
                value, "to", expected: "a topic or a list of topics with conditions")
            return ([Reference(name, position: value.position)], [nil])
        }
        var topics: [Reference] = []
        var conditions: [Condition?] = []
        for element in list {
            if let last = conditions.last, last == nil {
                throw decoder.error(
                    "to: no row is left for this topic", at: element.position,
                    advice: "Only the last topic may be without a \"where\".")
            }
            let fields = try Fields<RouteKey>(element, of: "an element of \"to\"", decoder)
            topics.append(try fields.reference(.topic))
            if let value = fields[.condition] {
                conditions.append(try condition(value))
            } else {
                conditions.append(nil)
            }
        }
        guard !topics.isEmpty else {
            throw decoder.error("to: the list of topics is empty", at: value.position)
        }
        return (topics, conditions)
    }

    private func condition(_ value: YAMLValue) throws(PipelineError) -> Condition {
        let fields = try Fields<ConditionKey>(value, of: "\"where\"", decoder)
        switch try fields.oneOf([.column, .offset]) {
        case .offset:
            let other = ConditionKey.allCases.first { $0 != .offset && fields[$0] != nil }
            if let other {
                throw decoder.error(
                    "\(quote(other.rawValue)) cannot stand beside \"offset\"",
                    at: fields.keyPosition(other))
            }
            let offset = try Fields<OffsetKey>(fields.required(.offset), of: "offset", decoder)
            let modulo = try decoder.integer(offset.required(.modulo), "modulo", in: 1...(1 << 40))
            let equals = try decoder.integer(
                offset.required(.equals), "equals", in: 0...(modulo - 1))
            return .offset(modulo: UInt64(modulo), equals: UInt64(equals))
        default:
            var tests: [ValueTest] = []
            for key in ConditionKey.allCases {
                if let test = try test(fields, key) { tests.append(test) }
            }
            guard !tests.isEmpty else {
                throw decoder.error(
                    "\"where\" needs a test of the column, such as \"atMost\"",
                    at: fields.position)
            }
            return .column(try fields.text(.column), tests)
        }
    }

    func label(_ value: YAMLValue) throws(PipelineError) -> LabelRule {
        let fields = try Fields<LabelKey>(value, of: "label", decoder)
        let column = try fields.text(.column)
        let key = try fields.oneOf(LabelKey.allCases.filter { $0 != .column && $0 != .missing })
        let rule: LabelRule.Rule
        switch key {
        case .value:
            let value = try fields.required(.value)
            guard try decoder.boolean(value, "value") else {
                throw decoder.mismatch("value", "true", value)
            }
            rule = .value
        case .classes:
            let value = try fields.required(.classes)
            let names = try decoder.texts(value, "class", of: "classes")
            guard names.count > 1 else {
                throw decoder.error("class: at least two classes are needed", at: value.position)
            }
            rule = .classes(names)
        default:
            guard let test = try test(fields, key) else {
                throw decoder.mismatch(key.rawValue, "a test", try fields.required(key))
            }
            rule = .test(test)
        }
        let missing = try fields.choice(
            .missing, default: LabelRule.Missing.unlabelled,
            among: [.unlabelled, .reject, .negative])
        return LabelRule(column: column, rule: rule, missing: missing)
    }

    /// The test that a key such as `atMost` asks for; nil where it is absent or is not a test.
    private func test<Key>(
        _ fields: Fields<Key>, _ key: Key
    ) throws(PipelineError) -> ValueTest? {
        guard let value = fields[key] else { return nil }
        let name = key.rawValue
        switch name {
        case "atMost": return .atMost(try decoder.number(value, name))
        case "atLeast": return .atLeast(try decoder.number(value, name))
        case "lessThan": return .lessThan(try decoder.number(value, name))
        case "greaterThan": return .greaterThan(try decoder.number(value, name))
        case "equals": return .equals(try decoder.text(value, name))
        case "in": return .isIn(try decoder.texts(value, name, of: "values"))
        default: return nil
        }
    }
}
