internal import FoundationEssentials

extension FeatureSpecification {
    /// Reads what `json()` wrote.
    ///
    /// - Throws: `FeatureError` with the codes `malformedSpecification`, `unsupportedVersion`,
    ///   `unknownColumn` or `invalidDefinition`.
    public init(json: String) throws(FeatureError) {
        let document = try SpecificationDocument(json: json)
        try self.init(
            schema: document.schema(),
            features: document.features.map { (feature) throws(FeatureError) in
                try feature.frozen()
            },
            label: document.label?.rule(),
            routes: document.routes.map { (route) throws(FeatureError) in
                try route.condition()
            },
            missingValues: document.missing)
    }
}

/// A specification as it is stored.
struct SpecificationDocument: Codable {
    var format = "millrace-features"
    var version: Int
    /// How rows are written; not there for CSV.
    var rows: String?
    var columns: [String]
    var features: [FeatureDocument]
    var label: LabelDocument?
    var routes: [RouteDocument]
    var missing: [String]

    init(
        schema: RowSchema, features: [FrozenFeature], label: LabelRule?, routes: [Condition?],
        missingValues: [String]
    ) {
        let isOld = schema.format == .csv && !features.contains(where: \.needsVersion2)
        version = isOld ? 1 : FeatureSpecification.formatVersion
        rows = schema.format == .csv ? nil : schema.format.rawValue
        columns = schema.columns
        self.features = features.map(FeatureDocument.init)
        self.label = label.map(LabelDocument.init)
        self.routes = routes.map(RouteDocument.init)
        self.missing = missingValues
    }

    init(json: String) throws(FeatureError) {
        struct Heading: Codable {
            var format: String
            var version: Int
        }
        let data = Data(json.utf8)
        do {
            let heading = try JSONDecoder().decode(Heading.self, from: data)
            guard heading.format == "millrace-features" else {
                throw Self.malformed("format", "not a feature specification")
            }
            guard (1...FeatureSpecification.formatVersion).contains(heading.version) else {
                throw FeatureError(
                    .unsupportedVersion, at: "version",
                    "format version \(heading.version), but this program reads versions up to "
                        + "\(FeatureSpecification.formatVersion): use the program that wrote it")
            }
            self = try JSONDecoder().decode(Self.self, from: data)
        } catch let error as FeatureError {
            throw error
        } catch let error as DecodingError {
            throw Self.describe(error)
        } catch {
            throw Self.malformed("", "not JSON")
        }
    }

    func schema() throws(FeatureError) -> RowSchema {
        guard let rows else { return RowSchema(columns: columns) }
        guard let format = TextFormat(rawValue: rows) else {
            throw Self.malformed("rows", "there are no rows of the kind '\(rows)'")
        }
        return RowSchema(format, columns: columns)
    }

    /// The document as text, in the one form that it has.
    func encoded() throws(FeatureError) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        } catch {
            throw Self.malformed("", "not representable as JSON")
        }
    }

    static func malformed(_ location: String, _ message: String) -> FeatureError {
        FeatureError(.malformedSpecification, at: location, message)
    }

    private static func describe(_ error: DecodingError) -> FeatureError {
        func path(_ context: DecodingError.Context) -> String {
            context.codingPath.reduce("") { path, key in
                if let index = key.intValue { return path + "[\(index)]" }
                return path.isEmpty ? key.stringValue : path + "." + key.stringValue
            }
        }
        switch error {
        case .keyNotFound(let key, let context):
            return malformed(path(context), "'\(key.stringValue)' is not there")
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            return malformed(path(context), "not a value of type \(type)")
        case .dataCorrupted(let context):
            return malformed(path(context), context.debugDescription)
        @unknown default:
            return malformed("", "cannot be read")
        }
    }
}
