internal import CMillraceKernels

/// The tables that a `RowProgram` is made of, all steps and rules together.
struct RowProgramTables {
    private(set) var steps: [cm_step] = []
    private(set) var edges: [Double] = []
    private(set) var slots: [Int32] = []
    private(set) var keys: [UInt64] = []
    private(set) var keyPlaces: [Int32] = []
    private(set) var texts = TextTable()
    private(set) var tests: [cm_test] = []
    private(set) var label = cm_rule()
    private(set) var routes: [cm_rule] = []
    /// The features that have to be 0 before the steps.
    private(set) var clear = 0..<0
    /// The fields that are read as short numbers before the steps, a bit for each.
    private(set) var early: UInt64 = 0

    private let positions: [String: Int]
    private var place = 0

    init(_ specification: FeatureSpecification) {
        positions = specification.schema.positions
        for (number, feature) in specification.features.enumerated() { add(feature, number) }
        joinNeighbours()
        addRules(of: specification)
        for step in steps where Self.numeric.contains(Int(step.kind)) { read(early: step.column) }
        for rule in [label] + routes where rule.kind == CM_RULE_TESTS || rule.kind == CM_RULE_VALUE
        {
            read(early: rule.column)
        }
    }

    /// Steps of one number.
    private static let numeric = [CM_STEP_NUMBER, CM_STEP_TIME, CM_STEP_BUCKET]
    /// From how many neighbours on it is faster to read them by themselves.
    private static let manyNumbers = 8

    private mutating func read(early column: Int32) {
        if column < CM_EARLY_NUMBERS { early |= 1 << UInt64(column) }
    }

    private func position(_ name: String) -> Int32 {
        guard let column = positions[name] else {
            preconditionFailure("a specification names only columns that it has")
        }
        return Int32(column)
    }

    private mutating func add(_ feature: FrozenFeature, _ number: Int) {
        var step = cm_step()
        step.number = Int32(number)
        step.column = position(feature.column)
        step.place = Int32(place)
        step.width = Int32(feature.width)
        step.kind = Int32(Self.kind(of: feature.encoding))
        switch feature.encoding {
        case .oneHot(let values, _): add(values, to: &step)
        case .bucketize(let listed, _):
            step.first = Int32(edges.count)
            step.count = Int32(listed.count)
            edges += listed
        case .number, .hash, .cross: break
        }
        if [CM_STEP_ONE_HOT, CM_STEP_HASH, CM_STEP_BUCKET].contains(Int(step.kind)) {
            let begin = clear.isEmpty ? place : clear.lowerBound
            clear = begin..<(place + feature.width)
        }
        place += feature.width
        steps.append(step)
    }

    /// Makes one step of many numbers of which the fields and the features are neighbours.
    private mutating func joinNeighbours() {
        var joined: [cm_step] = []
        for step in steps {
            if step.kind == CM_STEP_NUMBER, let last = joined.last, last.kind == CM_STEP_NUMBERS,
                last.column + last.width == step.column, last.place + last.width == step.place
            {
                joined[joined.count - 1].width += 1
            } else {
                joined.append(step)
                if step.kind == CM_STEP_NUMBER {
                    joined[joined.count - 1].kind = Int32(CM_STEP_NUMBERS)
                }
            }
        }
        var first = 0
        steps = joined.flatMap { step in
            let all = steps[first..<first + Self.count(of: step)]
            first = all.endIndex
            return all.count < Self.manyNumbers ? Array(all) : [step]
        }
    }

    private static func count(of step: cm_step) -> Int {
        step.kind == CM_STEP_NUMBERS ? Int(step.width) : 1
    }

    private static func kind(of encoding: FrozenFeature.Encoding) -> Int {
        switch encoding {
        case .number(let number) where number.isUnchanged && !number.indicator:
            switch number.format {
            case .plain: CM_STEP_NUMBER
            case .hhmm: CM_STEP_TIME
            default: CM_STEP_OTHER
            }
        case .oneHot: CM_STEP_ONE_HOT
        case .hash: CM_STEP_HASH
        case .bucketize: CM_STEP_BUCKET
        case .number, .cross: CM_STEP_OTHER
        }
    }

    private mutating func add(_ values: [String], to step: inout cm_step) {
        let slots = Vocabulary(values).slots
        step.first = Int32(self.slots.count)
        step.count = Int32(slots.count)
        let base = Int32(texts.append(values).lowerBound)
        self.slots += slots.map { $0 < 0 ? -1 : $0 + base } + [base]
        let short = values.enumerated().filter { (1...7).contains($0.element.utf8.count) }
        var count = 4
        while count < 4 * short.count { count *= 2 }
        step.key_first = Int32(keys.count)
        step.key_count = Int32(count)
        keys += [UInt64](repeating: 0, count: count)
        keyPlaces += [Int32](repeating: 0, count: count)
        for (index, text) in short {
            let key = Self.key(of: text)
            var slot = Int(cm_key_slot(key, Int32(count)))
            while keys[Int(step.key_first) + slot] != 0 { slot = (slot + 1) & (count - 1) }
            keys[Int(step.key_first) + slot] = key
            keyPlaces[Int(step.key_first) + slot] = Int32(index)
        }
    }

    /// The bytes of a short text and its length as one number.
    private static func key(of text: String) -> UInt64 {
        var key = UInt64(text.utf8.count)
        for (index, byte) in text.utf8.enumerated() { key |= UInt64(byte) << (8 * (index + 1)) }
        return key
    }

    private mutating func addRules(of specification: FeatureSpecification) {
        var made = cm_rule()
        made.kind = Int32(CM_RULE_ALL)
        if let rule = specification.label {
            made.column = position(rule.column)
            made.missing = rule.missing == .unlabelled ? .nan : 0
            made.missing_is_fault = rule.missing == .reject ? 1 : 0
            switch rule.rule {
            case .value: made.kind = Int32(CM_RULE_VALUE)
            case .test(let test): add([test], to: &made)
            case .classes: made.kind = Int32(CM_RULE_OTHER)
            }
        }
        label = made
        for condition in specification.routes {
            var rule = cm_rule()
            switch condition {
            case nil: rule.kind = Int32(CM_RULE_ALL)
            case .column(let column, let tests):
                rule.column = position(column)
                add(tests, to: &rule)
            case .offset(let modulo, let equals):
                rule.kind = Int32(CM_RULE_OFFSET)
                (rule.modulo, rule.equals) = (modulo, equals)
            }
            routes.append(rule)
        }
    }

    /// Tests of a number; a rule with others is left to the caller.
    private mutating func add(_ all: [ValueTest], to rule: inout cm_rule) {
        rule.kind = Int32(CM_RULE_TESTS)
        rule.first = Int32(tests.count)
        rule.count = Int32(all.count)
        for test in all {
            switch test {
            case .atMost(let bound): append(CM_AT_MOST, bound)
            case .atLeast(let bound): append(CM_AT_LEAST, bound)
            case .lessThan(let bound): append(CM_LESS_THAN, bound)
            case .greaterThan(let bound): append(CM_GREATER_THAN, bound)
            case .equals, .isIn: rule.kind = Int32(CM_RULE_OTHER)
            }
        }
        // Without a test, no number has to be one.
        if all.isEmpty { rule.kind = Int32(CM_RULE_OTHER) }
    }

    private mutating func append(_ kind: Int, _ bound: Double) {
        var test = cm_test()
        test.kind = Int32(kind)
        test.bound = bound
        tests.append(test)
    }
}
