internal import MillraceInput

/// The features of a specification as a list of steps over flat tables.
struct CompiledFeatures: Sendable {
    private enum Kind {
        case number, cyclicNumber, time, cyclicTime, oneHot, hash, bucketize
    }

    private struct Step {
        var kind: Kind
        var column: Int
        /// The column's features.
        var place: Range<Int>
        var period = 0.0
        /// Which vocabulary a one-hot step looks in.
        var vocabulary = 0
        var edges = 0..<0
    }

    private var steps: [Step] = []
    private var vocabularies: [Vocabulary] = []
    private var edges: [Double] = []
    let width: Int

    init(_ specification: FeatureSpecification) {
        var begin = 0
        for feature in specification.features {
            guard let column = specification.columns.firstIndex(of: feature.column) else {
                preconditionFailure("a specification names only columns that it has")
            }
            let place = begin..<(begin + feature.width)
            var step = Step(kind: .number, column: column, place: place)
            switch feature.encoding {
            case .number(let number):
                switch (number.format, number.period) {
                case (.plain, nil): step.kind = .number
                case (.plain, .some): step.kind = .cyclicNumber
                case (.hhmm, nil): step.kind = .time
                case (.hhmm, .some): step.kind = .cyclicTime
                }
                step.period = number.period ?? 0
            case .oneHot(let vocabulary, _):
                step.kind = .oneHot
                step.vocabulary = vocabularies.count
                vocabularies.append(Vocabulary(vocabulary))
            case .hash:
                step.kind = .hash
            case .bucketize(let listed, _):
                step.kind = .bucketize
                step.edges = edges.count..<(edges.count + listed.count)
                edges.append(contentsOf: listed)
            }
            steps.append(step)
            begin = place.upperBound
        }
        width = begin
    }

    /// Writes all features of a row; returns the column at fault and why, or nil.
    func encode(
        _ line: Span<UInt8>, _ fields: borrowing CSVFields, _ missing: borrowing MissingValues,
        into row: inout MutableSpan<Float>
    ) -> (column: Int, reason: RejectReason)? {
        for index in steps.indices {
            let step = steps[index]
            let text = line.extracting(fields[step.column].range)
            if missing.contains(text) {
                writeMissing(step, into: &row)
            } else if let reason = write(step, text, into: &row) {
                return (step.column, reason)
            }
        }
        return nil
    }

    private func writeMissing(_ step: Step, into row: inout MutableSpan<Float>) {
        switch step.kind {
        case .number, .time, .cyclicNumber, .cyclicTime:
            for index in step.place { row[index] = .nan }
        case .hash:
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
        case .number:
            guard let number = NumberParser.float(text) else { return .notANumber }
            if !number.isFinite { return .numberOutOfRange }
            row[first] = number
        case .time:
            guard let minutes = TimeOfDay.minutes(text) else { return .notATime }
            row[first] = Float(minutes)
        case .cyclicNumber:
            guard let number = NumberParser.double(text) else { return .notANumber }
            if !Float(number).isFinite { return .numberOutOfRange }
            writeTurn(number, step, into: &row)
        case .cyclicTime:
            guard let minutes = TimeOfDay.minutes(text) else { return .notATime }
            writeTurn(Double(minutes), step, into: &row)
        case .oneHot:
            clear(step.place, in: &row)
            let known = vocabularies[step.vocabulary].index(of: text)
            row[known.map { first + $0 } ?? step.place.upperBound - 2] = 1
        case .hash:
            clear(step.place, in: &row)
            row[first + Int(StableHash.hash(text) % UInt64(step.place.count))] = 1
        case .bucketize:
            guard let number = NumberParser.double(text) else { return .notANumber }
            clear(step.place, in: &row)
            row[first + bucket(of: number, step.edges)] = 1
        }
        return nil
    }

    private func writeTurn(_ value: Double, _ step: Step, into row: inout MutableSpan<Float>) {
        // Exact, and it keeps the quotient finite whatever the period.
        let rest = value.truncatingRemainder(dividingBy: step.period)
        let (sine, cosine) = Turn.sineAndCosine(rest / step.period)
        row[step.place.lowerBound] = Float(sine)
        row[step.place.lowerBound + 1] = Float(cosine)
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
        for index in place { row[index] = 0 }
    }
}
