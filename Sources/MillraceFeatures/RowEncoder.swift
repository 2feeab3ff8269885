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
    private var fields: RowFields
    private var unescaped: [UInt8] = []

    /// An encoder by `specification`.
    ///
    /// - Complexity: O(specification).
    public init(_ specification: FeatureSpecification) {
        fields = RowFields(specification.schema, needed: specification.neededColumns)
        missing = MissingValues(specification.missingValues)
        features = CompiledFeatures(specification, missing)
        rules = CompiledRules(specification)
        width = features.width
    }

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
        if let fault = fields.split(line) { return .rejected(fault.reason, column: fault.column) }
        guard fields.needUnescaping else { return encodeFields(line, offset, into: &row) }
        fields.unescape(line, into: &unescaped)
        return encodeFields(unescaped.span, offset, into: &row)
    }

    private func encodeFields(
        _ text: Span<UInt8>, _ offset: UInt64, into row: inout MutableSpan<Float>
    ) -> RowOutcome {
        if let fault = features.encode(text, fields, missing, into: &row) {
            return .rejected(fault.reason, column: fault.column)
        }
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
