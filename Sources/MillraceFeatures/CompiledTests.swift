internal import MillraceInput

/// Value tests in a form that evaluates without allocating or counting references.
struct CompiledTests: Sendable {
    /// What became of a test.
    enum Outcome {
        case holds
        case fails
        /// The test compares numbers, and the value is none.
        case notANumber
    }

    private enum Kind {
        case atMost, atLeast, lessThan, greaterThan, isIn
    }

    private struct Test {
        var kind: Kind
        var bound = 0.0
        var texts = 0..<0
    }

    private var tests: [Test] = []
    private var texts = TextTable()

    /// Adds tests and returns where they stand.
    mutating func append(_ added: [ValueTest]) -> Range<Int> {
        let first = tests.count
        for test in added {
            switch test {
            case .atMost(let bound): tests.append(Test(kind: .atMost, bound: bound))
            case .atLeast(let bound): tests.append(Test(kind: .atLeast, bound: bound))
            case .lessThan(let bound): tests.append(Test(kind: .lessThan, bound: bound))
            case .greaterThan(let bound): tests.append(Test(kind: .greaterThan, bound: bound))
            case .equals(let value): tests.append(Test(kind: .isIn, texts: texts.append([value])))
            case .isIn(let values): tests.append(Test(kind: .isIn, texts: texts.append(values)))
            }
        }
        return first..<tests.count
    }

    /// Whether `text`, which is not missing, passes all tests in `range`.
    func evaluate(_ range: Range<Int>, _ text: Span<UInt8>) -> Outcome {
        for index in range {
            let test = tests[index]
            if test.kind == .isIn {
                if texts.firstEqual(to: text, in: test.texts) == nil { return .fails }
                continue
            }
            guard let number = NumberParser.double(text) else { return .notANumber }
            let holds =
                switch test.kind {
                case .atMost: number <= test.bound
                case .atLeast: number >= test.bound
                case .lessThan: number < test.bound
                case .greaterThan, .isIn: number > test.bound
                }
            if !holds { return .fails }
        }
        return .holds
    }
}
