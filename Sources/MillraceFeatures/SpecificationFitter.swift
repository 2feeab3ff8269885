internal import MillraceInput

/// Fits what a definition leaves open (vocabularies, edges, bounds) to the first rows, and freezes it.
///
/// The result depends on nothing but the definition, the header and the rows in their order. A row
/// or value that an encoder would reject counts as looked at and is left out.
///
/// **Memory**: the distinct texts of each fitted vocabulary and the numbers of each fitted bucketing
/// in the first `fitRows` rows; bounds take none. **Thread-safety**: one owner.
public struct SpecificationFitter: Sendable {
    private let definition: PreprocessDefinition
    private let schema: RowSchema
    private let missing: MissingValues
    private var parts: [Part]
    private var fields: RowFields
    private var unescaped: [UInt8] = []

    /// How many rows have been looked at.
    public private(set) var rowsObserved = 0
    /// How many features a row will become, whatever the rows say.
    public let width: Int

    /// Prepares to fit `definition` to rows of `schema`.
    ///
    /// - Throws: `FeatureError` with the codes `unknownColumn` or `invalidDefinition`: all that can
    ///   be wrong with a definition comes to light here, before a row is read.
    public init(definition: PreprocessDefinition, schema: RowSchema) throws(FeatureError) {
        if definition.fitRows < 1 {
            throw FeatureError(
                .invalidDefinition, at: "fitRows",
                "has to be at least 1, not \(definition.fitRows)")
        }
        let check = DefinitionCheck(schema)
        try check.columnNames()
        if let label = definition.label { try check.label(label) }
        try check.routes(definition.routes)
        var parts: [Part] = []
        for (index, feature) in definition.features.enumerated() {
            let location = "features[\(index)]"
            for column in try Self.columns(feature.column, definition, check, at: location) {
                parts.append(
                    Part(column: column, name: schema.columns[column], encoding: feature.encoding))
            }
        }
        let empty = parts.map { $0.frozen() }
        try check.features(
            empty, missingValues: definition.missingValues, label: definition.label)
        self.definition = definition
        self.schema = schema
        fields = RowFields(
            schema, needed: parts.lazy.filter(\.isFitted).map(\.name))
        self.missing = MissingValues(definition.missingValues)
        self.parts = parts
        self.width = empty.reduce(0) { $0 + $1.width }
    }

    /// Whether more rows would make a difference: not where nothing is left open, and not once as
    /// many rows as the definition allows have been looked at.
    public var needsRows: Bool {
        rowsObserved < definition.fitRows && parts.contains(where: \.isFitted)
    }

    /// Looks at the next row; does nothing once no more rows are needed.
    public mutating func observe(_ line: Span<UInt8>) {
        guard needsRows else { return }
        rowsObserved += 1
        guard fields.split(line) == nil else { return }
        fields.unescape(line, into: &unescaped)
        let values = unescaped
        for index in parts.indices where parts[index].isFitted {
            guard let range = fields[parts[index].column] else { continue }
            let text = values.span.extracting(range)
            if !missing.contains(text) { parts[index].observe(text) }
        }
    }

    /// What has been fitted, for good.
    ///
    /// - Throws: `FeatureError`; what `init` has let pass does not fail here.
    /// - Complexity: O(n log n) in the distinct texts and the numbers that were kept.
    public consuming func freeze() throws(FeatureError) -> FeatureSpecification {
        try FeatureSpecification(
            schema: schema, features: parts.map { $0.frozen() }, label: definition.label,
            routes: definition.routes, missingValues: definition.missingValues)
    }

    /// The positions of the columns that a definition's name or pattern means.
    private static func columns(
        _ name: String, _ definition: PreprocessDefinition, _ check: DefinitionCheck,
        at location: String
    ) throws(FeatureError) -> [Int] {
        guard name.contains("*"), !check.columns.contains(name) else {
            return [try check.position(of: name, at: location)]
        }
        let matching = check.columns.indices.filter {
            check.columns[$0] != definition.label?.column
                && NamePattern.matches(check.columns[$0], pattern: name)
        }
        if matching.isEmpty {
            throw FeatureError(
                .unknownColumn, at: location,
                "no column matches '\(name)'; the columns are "
                    + check.columns.prefix(40).joined(separator: ", "))
        }
        return matching
    }
}

extension SpecificationFitter {
    /// A column and what has been seen of it.
    private struct Part: Sendable {
        let column: Int
        let name: String
        let encoding: FeatureDefinition.Encoding
        /// By bytes: texts that differ in them differ, whatever Unicode says of them.
        private var counts: [[UInt8]: Int] = [:]
        private var numbers: [Double] = []
        /// The least and the greatest number.
        private var bounds: ClosedRange<Double>?

        init(column: Int, name: String, encoding: FeatureDefinition.Encoding) {
            self.column = column
            self.name = name
            self.encoding = encoding
        }

        /// Whether the encoding leaves something open.
        var isFitted: Bool {
            switch encoding {
            case .oneHot(.auto), .bucketize(.auto): true
            case .number(let number): number.scale == .minMax(nil)
            default: false
            }
        }

        /// Takes a value that is not missing into account.
        mutating func observe(_ text: Span<UInt8>) {
            switch encoding {
            case .oneHot:
                counts[text.indices.map { text[$0] }, default: 0] += 1
            case .number(let number):
                guard case .number(let value) = CompiledNumber(number).evaluate(text) else {
                    return
                }
                let seen = bounds ?? value...value
                bounds = min(seen.lowerBound, value)...max(seen.upperBound, value)
            default:
                guard let number = NumberParser.double(text), number.isFinite else { return }
                numbers.append(number)
            }
        }

        /// The encoding with nothing left open.
        func frozen() -> FrozenFeature {
            let frozen: FrozenFeature.Encoding
            switch encoding {
            case .number(var number):
                if number.scale == .minMax(nil) { number.scale = .minMax(bounds) }
                frozen = .number(number)
            case .oneHot(.listed(let values)):
                frozen = .oneHot(vocabulary: values, limit: values.count)
            case .oneHot(.auto(let limit)):
                frozen = .oneHot(vocabulary: mostFrequent(limit), limit: limit)
            case .hash(let buckets):
                frozen = .hash(buckets: buckets)
            case .cross(let others, let buckets):
                frozen = .cross(with: others, buckets: buckets)
            case .bucketize(.listed(let edges)):
                frozen = .bucketize(edges: edges, count: edges.count + 1)
            case .bucketize(.auto(let count)):
                frozen = .bucketize(edges: quantiles(count), count: count)
            }
            return FrozenFeature(column: name, encoding: frozen)
        }

        private func mostFrequent(_ limit: Int) -> [String] {
            let ordered = counts.sorted { one, other in
                if one.value != other.value { return one.value > other.value }
                return one.key.lexicographicallyPrecedes(other.key)
            }
            return ordered.prefix(max(limit, 0)).map { String(decoding: $0.key, as: UTF8.self) }
        }

        /// Rising numbers that cut what was seen into `count` parts of about the same size; fewer
        /// where many values are equal.
        private func quantiles(_ count: Int) -> [Double] {
            let sorted = numbers.sorted()
            guard let least = sorted.first, count > 1 else { return [] }
            var edges: [Double] = []
            for part in 1..<count {
                let edge = sorted[part * sorted.count / count]
                if edge > edges.last ?? least { edges.append(edge) }
            }
            return edges
        }
    }
}
