internal import MillraceInput

/// The label rule and the routes of a specification, in a form that evaluates fast.
struct CompiledRules: Sendable {
    /// What a rule makes of a row, or why it cannot.
    enum Outcome<Value> {
        case value(Value)
        case rejected(RejectReason, column: Int)
    }

    private enum LabelKind {
        case none, test, value, classes
    }

    private enum Route {
        case rest
        case column(Int, tests: Range<Int>)
        case offset(modulo: UInt64, equals: UInt64)
    }

    private var tests = CompiledTests()
    private var routes: [Route] = []
    private var labelKind = LabelKind.none
    private var labelColumn = 0
    private var labelTests = 0..<0
    private var missingLabel = LabelRule.Missing.unlabelled
    private var classes = TextTable()

    init(_ specification: FeatureSpecification) {
        func position(_ column: String) -> Int {
            guard let index = specification.columns.firstIndex(of: column) else {
                preconditionFailure("a specification names only columns that it has")
            }
            return index
        }
        if let label = specification.label {
            labelColumn = position(label.column)
            missingLabel = label.missing
            switch label.rule {
            case .value: labelKind = .value
            case .test(let test):
                labelKind = .test
                labelTests = tests.append([test])
            case .classes(let names):
                labelKind = .classes
                classes = TextTable(names)
            }
        }
        for route in specification.routes {
            switch route {
            case nil: routes.append(.rest)
            case .column(let column, let all):
                routes.append(.column(position(column), tests: tests.append(all)))
            case .offset(let modulo, let equals):
                routes.append(.offset(modulo: modulo, equals: equals))
            }
        }
    }

    /// The row's label, NaN where it has none.
    func label(
        _ line: Span<UInt8>, _ fields: borrowing RowFields, _ missing: borrowing MissingValues
    ) -> Outcome<Float> {
        if labelKind == .none { return .value(.nan) }
        guard let range = fields[labelColumn], !missing.contains(line.extracting(range)) else {
            switch missingLabel {
            case .unlabelled: return .value(.nan)
            case .negative: return .value(0)
            case .reject: return .rejected(.missingLabel, column: labelColumn)
            }
        }
        let text = line.extracting(range)
        switch labelKind {
        case .none: return .value(.nan)
        case .value:
            guard let number = NumberParser.float(text) else {
                return .rejected(.notANumber, column: labelColumn)
            }
            guard number.isFinite else {
                return .rejected(.numberOutOfRange, column: labelColumn)
            }
            return .value(number)
        case .test:
            switch tests.evaluate(labelTests, text) {
            case .holds: return .value(1)
            case .fails: return .value(0)
            case .notANumber: return .rejected(.notANumber, column: labelColumn)
            }
        case .classes:
            guard let index = classes.firstEqual(to: text, in: 0..<classes.count) else {
                return .rejected(.unknownClass, column: labelColumn)
            }
            return .value(Float(index))
        }
    }

    /// The first route that the row takes, -1 where it takes none.
    func route(
        _ line: Span<UInt8>, _ fields: borrowing RowFields, _ missing: borrowing MissingValues,
        offset: UInt64
    ) -> Outcome<Int> {
        for index in routes.indices {
            switch routes[index] {
            case .rest:
                return .value(index)
            case .offset(let modulo, let equals):
                if offset % modulo == equals { return .value(index) }
            case .column(let column, let asked):
                guard let range = fields[column] else { continue }
                let text = line.extracting(range)
                if missing.contains(text) { continue }
                switch tests.evaluate(asked, text) {
                case .holds: return .value(index)
                case .fails: continue
                case .notANumber: return .rejected(.notANumber, column: column)
                }
            }
        }
        return .value(-1)
    }
}
