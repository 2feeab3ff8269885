internal import MillraceInput

/// The features of a specification as a list of steps over flat tables.
struct CompiledFeatures: Sendable {
    private enum Kind {
        case plainNumber, number, cyclicNumber, oneHot, hash, cross, bucketize
    }

    private struct Step {
        var kind: Kind
        var column: Int
        /// The column's features.
        var place: Range<Int>
        /// Whether the last of them says that the value is missing.
        var hasIndicator = false
        /// Which number, vocabulary or cross is meant.
        var index = 0
        var edges = 0..<0
    }

    private var steps: [Step] = []
    private var numbers: [CompiledNumber] = []
    private var vocabularies: [Vocabulary] = []
    /// The columns that are hashed together with a step's own.
    private var crosses: [[Int]] = []
    private var edges: [Double] = []
    let width: Int
    var stepCount: Int { steps.count }

    init(_ specification: FeatureSpecification) {
        let positions = specification.schema.positions
        func position(_ name: String) -> Int {
            guard let column = positions[name] else {
                preconditionFailure("a specification names only columns that it has")
            }
            return column
        }
        width = specification.width
        var begin = 0
        for feature in specification.features {
            let place = begin..<(begin + feature.width)
            var step = Step(
                kind: .plainNumber, column: position(feature.column), place: place)
            switch feature.encoding {
            case .number(let number):
                step.hasIndicator = number.indicator
                step.index = numbers.count
                numbers.append(CompiledNumber(number))
                if number.period != nil {
                    step.kind = .cyclicNumber
                } else if !number.isPlain {
                    step.kind = .number
                }
            case .oneHot(let vocabulary, _):
                step.kind = .oneHot
                step.index = vocabularies.count
                vocabularies.append(Vocabulary(vocabulary))
            case .hash:
                step.kind = .hash
            case .cross(let others, _):
                step.kind = .cross
                step.index = crosses.count
                crosses.append(others.map(position))
            case .bucketize(let listed, _):
                step.kind = .bucketize
                step.edges = edges.count..<(edges.count + listed.count)
                edges.append(contentsOf: listed)
            }
            steps.append(step)
            begin = place.upperBound
        }
    }

    /// Writes the features of some steps of a row, in order; returns the first column at fault and
    /// why, or nil.
    func encode(
        _ chosen: Span<Int32>, _ line: Span<UInt8>, _ fields: borrowing RowFields,
        _ missing: borrowing MissingValues, into row: inout MutableSpan<Float>
    ) -> (column: Int, reason: RejectReason)? {
        for index in chosen.indices {
            let step = steps[Int(chosen[index])]
            if let fault = encode(step, line, fields, missing, into: &row) { return fault }
        }
        return nil
    }

    /// Writes the features of one step.
    private func encode(
        _ step: Step, _ line: Span<UInt8>, _ fields: borrowing RowFields,
        _ missing: borrowing MissingValues, into row: inout MutableSpan<Float>
    ) -> (column: Int, reason: RejectReason)? {
        guard let range = fields[step.column], !missing.contains(line.extracting(range)) else {
            writeMissing(step, into: &row)
            return nil
        }
        let text = line.extracting(range)
        if step.kind == .cross {
            writeCross(step, text, line, fields, missing, into: &row)
        } else if let reason = write(step, text, into: &row) {
            return (step.column, reason)
        }
        return nil
    }

    private func writeMissing(_ step: Step, into row: inout MutableSpan<Float>) {
        switch step.kind {
        case .plainNumber, .number, .cyclicNumber:
            for index in step.place { row[index] = .nan }
            if step.hasIndicator { row[step.place.upperBound - 1] = 1 }
        case .hash, .cross:
            clear(step.place, in: &row)
        case .oneHot, .bucketize:
            clear(step.place, in: &row)
            row[step.place.upperBound - 1] = 1
        }
    }

    private func write(
        _ step: Step, _ text: Span<UInt8>, into row: inout MutableSpan<Float>
    ) -> RejectReason? {
        let first = step.place.lowerBound
        switch step.kind {
        case .plainNumber:
            guard let number = NumberParser.float(text) else { return .notANumber }
            if !number.isFinite { return .numberOutOfRange }
            row[first] = number
            if step.hasIndicator { row[first + 1] = 0 }
        case .number, .cyclicNumber:
            return writeNumber(step, text, into: &row)
        case .oneHot:
            clear(step.place, in: &row)
            let known = vocabularies[step.index].index(of: text)
            row[known.map { first + $0 } ?? step.place.upperBound - 2] = 1
        case .hash:
            clear(step.place, in: &row)
            row[first + Int(StableHash.hash(text) % UInt64(step.place.count))] = 1
        case .cross:
            preconditionFailure("written by writeCross")
        case .bucketize:
            guard let number = NumberParser.double(text) else { return .notANumber }
            clear(step.place, in: &row)
            row[first + bucket(of: number, step.edges)] = 1
        }
        return nil
    }

    private func writeNumber(
        _ step: Step, _ text: Span<UInt8>, into row: inout MutableSpan<Float>
    ) -> RejectReason? {
        let period = numbers[step.index].period
        switch numbers[step.index].evaluate(text) {
        case .rejected(let reason): return reason
        case .number(let number):
            if period > 0 {
                writeTurn(number, period, at: step.place.lowerBound, into: &row)
            } else {
                row[step.place.lowerBound] = Float(number)
            }
            if step.hasIndicator { row[step.place.upperBound - 1] = 0 }
            return nil
        }
    }

    /// Hashes the column's text and those of the others together.
    private func writeCross(
        _ step: Step, _ text: Span<UInt8>, _ line: Span<UInt8>, _ fields: borrowing RowFields,
        _ missing: borrowing MissingValues, into row: inout MutableSpan<Float>
    ) {
        clear(step.place, in: &row)
        var hash = StableHash()
        hash.add(text)
        for column in crosses[step.index] {
            guard let range = fields[column] else { return }
            let other = line.extracting(range)
            if missing.contains(other) { return }
            hash.addSeparator()
            hash.add(other)
        }
        row[step.place.lowerBound + Int(hash.value % UInt64(step.place.count))] = 1
    }

    private func writeTurn(
        _ value: Double, _ period: Double, at index: Int, into row: inout MutableSpan<Float>
    ) {
        // Exact, and it keeps the quotient finite whatever the period.
        let rest = value.truncatingRemainder(dividingBy: period)
        let (sine, cosine) = Turn.sineAndCosine(rest / period)
        row[index] = Float(sine)
        row[index + 1] = Float(cosine)
    }

    /// How many edges `number` is not below.
    private func bucket(of number: Double, _ range: Range<Int>) -> Int {
        var low = range.lowerBound
        var high = range.upperBound
        while low < high {
            let middle = (low + high) / 2
            if number >= edges[middle] { low = middle + 1 } else { high = middle }
        }
        return low - range.lowerBound
    }

    private func clear(_ place: Range<Int>, in row: inout MutableSpan<Float>) {
        var part = row._mutatingExtracting(place)
        part.update(repeating: 0)
    }
}
