internal import MillraceFeatures
internal import MillraceLog
internal import MillraceSystem

/// A stage's feature specification, frozen once for the life of its data.
///
/// It is kept with the models (`MODELS/.specifications/STAGE/IDENTIFIER.json`) and with the group's
/// state, and each topic that it encodes carries it in its dictionary.
struct FrozenSpecification: Sendable {
    /// How rows are encoded.
    let value: FeatureSpecification
    /// What is said of the features: the specification of the model whose features they are, or
    /// the same.
    let said: FeatureSpecification

    static let dictionaryPrefix = "specification:"

    /// What the dictionary of a feature topic says of the specification.
    var dictionaryText: String { Self.dictionaryPrefix + said.json() }

    /// What batches and models name it by.
    var identifier: UInt32 { said.identifier }

    /// The specification that a feature topic's batches name.
    init?(dictionaryText text: String) throws(FeatureError) {
        guard text.hasPrefix(Self.dictionaryPrefix) else { return nil }
        self.init(
            try FeatureSpecification(json: String(text.dropFirst(Self.dictionaryPrefix.count))))
    }

    init(_ value: FeatureSpecification) { self.init(value, said: value) }

    init(_ value: FeatureSpecification, said: FeatureSpecification) {
        self.value = value
        self.said = said
    }

    private static let maxBytes = 1 << 24

    private static func path(data: String, group: String) -> String {
        "\(data)/groups/\(group)/specification.json"
    }

    /// The specification that the group froze earlier; nil when it has none.
    static func load(data: String, group: String) throws -> FrozenSpecification? {
        let path = path(data: data, group: group)
        guard Files.exists(path) else { return nil }
        let text = String(decoding: try Files.read(path, maxBytes: maxBytes), as: UTF8.self)
        do { return FrozenSpecification(try FeatureSpecification(json: text)) } catch {
            throw PipelineError(.badData, error.description, file: path)
        }
    }

    /// Makes it durable, before any row is encoded by it.
    func save(data: String, group: String, models: String) throws(SystemError) {
        let bytes = Array(said.json().utf8)
        let shelf = "\(models)/.specifications/\(group)"
        try Files.createDirectory(shelf)
        try Files.writeDurably("\(shelf)/\(identifier).json", bytes)
        try Files.writeDurably(Self.path(data: data, group: group), bytes)
    }

    /// Throws unless the definition asks for what was frozen.
    func check(
        against definition: PreprocessDefinition, schema: RowSchema, stage: String
    ) throws {
        let unfitted = try SpecificationFitter(definition: definition, schema: schema).freeze()
        guard Self.isFit(value, of: unfitted) else {
            throw PipelineError(
                .usage,
                "stage '\(stage)' encoded its rows by another definition of features, label or "
                    + "routes, which is frozen with the data",
                advice: "Give the stage another \"group\" and other topics, or use another data "
                    + "directory.")
        }
    }
}

extension FrozenSpecification {
    /// Whether `fitted` is `unfitted` with its open vocabularies and edges filled in.
    private static func isFit(
        _ fitted: FeatureSpecification, of unfitted: FeatureSpecification
    ) -> Bool {
        guard fitted.schema == unfitted.schema, fitted.label == unfitted.label,
            fitted.routes == unfitted.routes, fitted.missingValues == unfitted.missingValues,
            fitted.features.count == unfitted.features.count
        else { return false }
        return zip(fitted.features, unfitted.features).allSatisfy { fitted, unfitted in
            guard fitted.column == unfitted.column else { return false }
            return switch (fitted.encoding, unfitted.encoding) {
            case (.oneHot(_, let limit), .oneHot(let vocabulary, let asked))
            where vocabulary.isEmpty:
                limit == asked
            case (.bucketize(_, let count), .bucketize(let edges, let asked)) where edges.isEmpty:
                count == asked
            case (.number(let found), .number(let asked)) where asked.scale == .minMax(nil):
                Self.isFit(found, of: asked)
            default: fitted.encoding == unfitted.encoding
            }
        }
    }

    private static func isFit(_ fitted: NumberEncoding, of unfitted: NumberEncoding) -> Bool {
        guard case .minMax = fitted.scale else { return false }
        var open = fitted
        open.scale = unfitted.scale
        return open == unfitted
    }
}
