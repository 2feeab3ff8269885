internal import MillraceInput

/// Turns rows of text into features by a frozen specification.
///
/// The result depends on nothing but the specification, the line and the offset: any encoder gives
/// the same bits, in any order of rows, in any process, on any host.
///
/// **Thread-safety**: one owner; make one for each thread. It cannot be copied, so that encoders
/// share no memory. **Allocation**: none once rows of the same shape have been encoded.
public struct RowEncoder: ~Copyable, Sendable {
    /// How many features a row becomes.
    public let width: Int

    private let features: CompiledFeatures
    private let rules: CompiledRules
    private let missing: MissingValues
    /// The steps and rules that are common, for rows of plain CSV.
    private let program: RowProgram?
    private var fields: RowFields
    private var unescaped: [UInt8] = []
    /// The numbers of all steps.
    private let all: [Int32]
    /// The program's own memory.
    private var scratch: [Int32]

    /// An encoder by `specification`.
    ///
    /// - Complexity: O(specification).
    public init(_ specification: FeatureSpecification) {
        self.init(specification, arrayName: nil)
    }

    /// An encoder that rejects an object of JSON in which a member `arrayName`, which is no column,
    /// is an array; `hasArray` tells so.
    package init(_ specification: FeatureSpecification, arrayName: String?) {
        let missing = MissingValues(specification.missingValues)
        self.init(
            specification, missing, RowProgram(specification, missing), arrayName: arrayName)
    }

    /// Makers of an encoder without the kernels and of one by each set of them, by name.
    package static func all(_ specification: FeatureSpecification) -> [(String, () -> RowEncoder)] {
        let missing = MissingValues(specification.missingValues)
        return [("none", { RowEncoder(specification, missing, nil) })]
            + RowProgram.all(specification, missing).map { name, program in
                (name, { RowEncoder(specification, missing, program) })
            }
    }

    private init(
        _ specification: FeatureSpecification, _ missing: MissingValues, _ program: RowProgram?,
        arrayName: String? = nil
    ) {
        fields = RowFields(
            specification.schema, needed: specification.neededColumns, arrayName: arrayName)
        self.missing = missing
        self.program = program
        features = CompiledFeatures(specification)
        rules = CompiledRules(specification)
        width = features.width
        all = Array(0..<Int32(features.stepCount))
        scratch = [Int32](repeating: -1, count: program?.scratchCount ?? 0)
    }

    /// Whether the last row was rejected for its array.
    package var hasArray: Bool { fields.hasArray }

    /// Writes the features of `line`, the row at `offset` of its source partition, to `row`.
    ///
    /// Features are `width` float32 numbers in the order of the specification; every one is
    /// written. A row has one fault: of several, that of the line as a whole, then of the first
    /// feature at fault, then of the label, then of the conditions.
    ///
    /// - Parameter row: exactly `width` numbers.
    /// - Complexity: O(line + width).
    public mutating func encode(
        _ line: Span<UInt8>, offset: UInt64, into row: inout MutableSpan<Float>
    ) -> RowOutcome {
        precondition(row.count == width, "a row has as many numbers as the specification")
        if let program, let outcome = encode(line, offset, by: program, into: &row) {
            return outcome
        }
        if let fault = fields.split(line) { return .rejected(fault.reason, column: fault.column) }
        guard fields.needUnescaping else {
            return finish(all.span, nil, line, offset, into: &row)
        }
        fields.unescape(line, into: &unescaped)
        return finish(all.span, nil, unescaped.span, offset, into: &row)
    }

    /// What the program makes of the line; nil where it does not take it.
    private mutating func encode(
        _ line: Span<UInt8>, _ offset: UInt64, by program: RowProgram,
        into row: inout MutableSpan<Float>
    ) -> RowOutcome? {
        let done: RowProgram.Outcome
        do {
            var scratch = self.scratch.mutableSpan
            guard let outcome = program.encode(line, offset: offset, &scratch, into: &row) else {
                return nil
            }
            done = outcome
        }
        guard done.isASCII || ValidText.firstFault(in: line) == nil else { return nil }
        let settled =
            done.isSettled ? RowOutcome.encoded(label: done.label, route: done.route) : nil
        if done.leftCount == 0, let settled { return settled }
        // The text of what is left is needed too.
        guard fields.split(line) == nil else { return nil }
        return finish(
            program.left(done, in: scratch.span), settled, line, offset, into: &row)
    }

    /// Carries out steps, then the rules, unless what they make of the row is known.
    private func finish(
        _ steps: Span<Int32>, _ settled: RowOutcome?, _ text: Span<UInt8>, _ offset: UInt64,
        into row: inout MutableSpan<Float>
    ) -> RowOutcome {
        if let fault = features.encode(steps, text, fields, missing, into: &row) {
            return .rejected(fault.reason, column: fault.column)
        }
        if let settled { return settled }
        switch rules.label(text, fields, missing) {
        case .rejected(let reason, let column):
            return .rejected(reason, column: column)
        case .value(let label):
            switch rules.route(text, fields, missing, offset: offset) {
            case .rejected(let reason, let column): return .rejected(reason, column: column)
            case .value(let route): return .encoded(label: label, route: route)
            }
        }
    }
}
