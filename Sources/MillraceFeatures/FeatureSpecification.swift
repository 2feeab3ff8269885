internal import MillraceInput
internal import MillraceSystem

/// A frozen way to turn rows into features: with it, and nothing else, every consumer, partition,
/// restart and host encodes a row alike.
///
/// It holds what was fitted once (vocabularies, edges) and nothing that moves with the stream: means,
/// scales and imputed values belong to the model, and `policies` says which are wanted.
///
/// **Shape**: a row becomes `width` float32 features, each column's in the order of `features`.
public struct FeatureSpecification: Sendable, Equatable {
    /// The newest version of the stored format that this program reads, and writes where version 1
    /// cannot say what is meant: other rows than CSV, and what is done with numbers beside scaling
    /// and imputing.
    public static let formatVersion = 2
    /// The most features that a row may become.
    public static let maxWidth = 65_536

    /// How rows are written, and what their columns are called.
    public let schema: RowSchema
    /// How columns become features, in the features' order.
    public let features: [FrozenFeature]
    /// How labels are made; nil where rows have none.
    public let label: LabelRule?
    /// Where rows go: the first route whose condition holds; nil takes all that are left.
    public let routes: [Condition?]
    /// The texts that mean that a value is missing.
    public let missingValues: [String]
    /// The specification's identity: the CRC-32C of `json()`, but 1 where that is 0, which batches
    /// without a specification carry.
    public let identifier: UInt32
    private let document: String

    /// Takes what is given, once it has been found to make sense.
    ///
    /// - Throws: `FeatureError` with the codes `unknownColumn` or `invalidDefinition`.
    public init(
        schema: RowSchema, features: [FrozenFeature], label: LabelRule? = nil,
        routes: [Condition?] = [nil], missingValues: [String] = [""]
    ) throws(FeatureError) {
        let check = DefinitionCheck(schema)
        try check.columnNames()
        try check.features(features, missingValues: missingValues, label: label)
        if let label { try check.label(label) }
        try check.routes(routes)
        self.schema = schema
        self.features = features
        self.label = label
        self.routes = routes
        self.missingValues = missingValues
        self.document = try SpecificationDocument(
            schema: schema, features: features, label: label, routes: routes,
            missingValues: missingValues
        ).encoded()
        let checksum = CRC32C.checksum(of: [UInt8](document.utf8).span)
        self.identifier = checksum == 0 ? 1 : checksum
    }

    /// The names of a row's columns, in order.
    public var columns: [String] { schema.columns }

    /// The names of the columns that features, label or routes are made from.
    var neededColumns: [String] {
        features.flatMap(\.columns) + [label?.column].compactMap { $0 }
            + routes.compactMap { route in
                if case .column(let column, _)? = route { column } else { nil }
            }
    }

    /// The specification as JSON, keys sorted, without spaces: the form in which it is stored and
    /// from which its identifier is computed.
    public func json() -> String { document }

    /// How many features a row becomes.
    public var width: Int { features.reduce(0) { $0 + $1.width } }

    /// The features' names, as people read them; as many as `width`.
    public var featureNames: [String] { features.flatMap(\.names) }

    /// What a model does with each feature; as many as `width`.
    public var policies: [FeaturePolicy] {
        features.flatMap(\.policies)
    }

    /// Says in words what is wrong with a row: the column, the reason and the text at fault.
    public func explain(_ reason: RejectReason, column: Int, line: Span<UInt8>) -> String {
        var fields = RowFields(schema, needed: neededColumns)
        let fault = fields.split(line)
        if reason == .wrongColumnCount {
            return "expected \(columns.count) fields, found \(Self.fieldCount(line))"
        }
        guard columns.indices.contains(column) else { return reason.description }
        let place =
            schema.format == .jsonl
            ? "member '\(columns[column])'" : "column \(column + 1) (\(columns[column]))"
        guard fault == nil || fault?.reason == .invalidUTF8, let range = fields[column] else {
            return "\(place): \(reason)"
        }
        return "\(place): \(reason): \(QuotedText.quote(line.extracting(range)))"
    }

    private static func fieldCount(_ line: Span<UInt8>) -> Int {
        var fields = CSVFields()
        do throws(CSVFault) {
            try fields.split(line)
        } catch {}
        return fields.count
    }
}
