internal import MillraceFeatures
internal import MillraceInput
internal import MillraceKafka
internal import MillraceModels
internal import MillraceRepository
internal import MillraceServing

/// Turns records of Kafka into rows of features as a model takes them.
///
/// Records are vectors, or they are raw: columns by name, or lines of CSV, which the feature
/// specification that the model keeps encodes. **Thread-safety**: one owner.
struct RecordDecoder: ~Copyable {
    private var vectors: VectorReader
    private let raw: RawRows?

    /// A decoder for a model.
    ///
    /// - Throws: `PipelineError` with `usage` where records are lines of CSV and the model keeps no
    ///   specification, or a column that it needs is not among the topic's.
    init(
        _ topic: KafkaTopicDefinition, _ content: TopicDefinition.Content,
        for version: ServingVersion
    ) throws(PipelineError) {
        let format = topic.rowFormat
        var labels = VectorReader.Labels.none
        var isRaw = format == .csv || format == .json
        if case .features(_, _, let hasLabels) = content {
            // Whoever made the features has encoded them.
            isRaw = false
            if hasLabels { labels = .passedOver }
        }
        let raw =
            isRaw
            ? try RawRows(format == .csv ? .csv : .jsonl, columns: topic.columns, version) : nil
        guard raw != nil || format != .csv else {
            throw PipelineError(
                .usage,
                "model \(version.manifest.name)@\(version.version) keeps no feature specification by "
                    + "which lines of CSV could be encoded",
                advice: "Send vectors: --format json with {\"features\":[…]}, or float32.")
        }
        self.raw = raw
        vectors = VectorReader(
            format, columns: version.model.inputWidth, labels: labels,
            specification: version.specification)
    }

    /// Whether it may encode rows by the model's specification.
    var encodes: Bool { raw != nil }

    /// Adds the row, or the rows of a block; returns how many.
    mutating func add(
        _ value: Span<UInt8>?, to arena: inout FeatureArena
    ) throws(RecordFault) -> Int {
        guard let value else { throw RecordFault(.noValue, "a record without a value") }
        guard let raw else { return try vectors.add(value, to: &arena) }
        let isRow: Bool
        do {
            var row = arena.nextRow()
            isRow = try raw.encode(value, into: &row)
        }
        guard isRow else { return try vectors.add(value, to: &arena) }
        arena.commitRow()
        return 1
    }
}

/// Rows as they were before they were encoded.
private final class RawRows {
    private let specification: FeatureSpecification
    private var encoder: RowEncoder

    /// Nil where the model keeps no specification.
    init?(
        _ format: TextFormat, columns: [String]?, _ version: ServingVersion
    ) throws(PipelineError) {
        do throws(FeatureError) {
            let found = try version.keptSpecification { (kept) throws(FeatureError) in
                let columns = columns ?? kept.columns
                for feature in kept.features where !columns.contains(feature.column) {
                    throw FeatureError(
                        .unknownColumn, at: "",
                        "the column '\(feature.column)' is missing, which the model needs"
                            + NearestName.hint(feature.column, among: columns))
                }
                return RowSchema(format, columns: columns)
            }
            guard let found else { return nil }
            specification = found
        } catch { throw PipelineError(error) }
        encoder = RowEncoder(specification, arrayName: "features")
        guard encoder.width == version.model.inputWidth else {
            throw PipelineError(
                .badData,
                "model \(version.manifest.name)@\(version.version) takes "
                    + "\(version.model.inputWidth) numbers, and its specification makes "
                    + "\(encoder.width)")
        }
    }

    /// Encodes a line of CSV, or an object; false where that has an array `features`, which is no
    /// column: it is a vector then.
    func encode(
        _ text: Span<UInt8>, into row: inout MutableSpan<Float>
    ) throws(RecordFault) -> Bool {
        switch encoder.encode(text, offset: 0, into: &row) {
        case .encoded: return true
        case .rejected(let reason, let column):
            if encoder.hasArray { return false }
            throw RecordFault.rejected(reason, column, specification, text)
        }
    }
}

extension RecordFault {
    /// What is wrong with a row that cannot be encoded, in words.
    static func rejected(
        _ reason: RejectReason, _ column: Int, _ specification: FeatureSpecification,
        _ text: Span<UInt8>
    ) -> RecordFault {
        if reason == .malformedJSON {
            // Where that is.
            do throws(JSONFault) {
                var cursor = JSONCursor()
                try cursor.skipValue(text)
                try cursor.end(text)
                cursor = JSONCursor()
                try cursor.beginObject(text)
            } catch { return RecordFault(error) }
        }
        return RecordFault(
            .undecodable, specification.explain(reason, column: column, line: text))
    }
}
