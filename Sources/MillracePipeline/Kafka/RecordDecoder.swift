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
    private let format: KafkaRowFormat

    /// A decoder for a model.
    ///
    /// - Throws: `PipelineError` with `usage` where records are lines of CSV and the model keeps no
    ///   specification, or a column that it needs is not among `columns`.
    init(
        _ format: KafkaRowFormat, columns: [String]?, for version: ServingVersion
    ) throws(PipelineError) {
        let isText = format == .csv || format == .json
        let raw =
            isText ? try RawRows(format == .csv ? .csv : .jsonl, columns: columns, version) : nil
        guard raw != nil || format != .csv else {
            throw PipelineError(
                .usage,
                "model \(version.manifest.name)@\(version.version) keeps no feature specification by "
                    + "which lines of CSV could be encoded",
                advice: "Send vectors: --format json with {\"features\":[…]}, or float32.")
        }
        self.format = format
        self.raw = raw
        vectors = VectorReader(format, columns: version.model.inputWidth)
    }

    /// Whether it may encode rows by the model's specification.
    var encodes: Bool { raw != nil }

    /// Adds the row, or the rows of a block; returns how many.
    mutating func add(
        _ value: Span<UInt8>?, to arena: inout FeatureArena
    ) throws(RecordFault) -> Int {
        guard let value else { throw RecordFault(.noValue, "a record without a value") }
        guard let raw else { return try vectors.add(value, to: &arena) }
        if format == .json, try raw.isVector(value) { return try vectors.add(value, to: &arena) }
        var row = arena.nextRow()
        try raw.encode(value, into: &row)
        arena.commitRow()
        return 1
    }
}

/// Rows as they were before they were encoded.
private final class RawRows {
    private let specification: FeatureSpecification
    private var encoder: RowEncoder
    /// The columns' names.
    private let names: [[UInt8]]
    private let features = Array("features".utf8)

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
        encoder = RowEncoder(specification)
        guard encoder.width == version.model.inputWidth else {
            throw PipelineError(
                .badData,
                "model \(version.manifest.name)@\(version.version) takes "
                    + "\(version.model.inputWidth) numbers, and its specification makes "
                    + "\(encoder.width)")
        }
        names = specification.columns.map { Array($0.utf8) }
    }

    /// Encodes a line of CSV, or an object.
    func encode(_ text: Span<UInt8>, into row: inout MutableSpan<Float>) throws(RecordFault) {
        switch encoder.encode(text, offset: 0, into: &row) {
        case .encoded: return
        case .rejected(let reason, let column):
            throw RecordFault(
                .undecodable, specification.explain(reason, column: column, line: text))
        }
    }

    /// Whether an object has an array `features`, which is no column: it is a vector then.
    func isVector(_ text: Span<UInt8>) throws(RecordFault) -> Bool {
        do throws(JSONFault) {
            var cursor = JSONCursor()
            try cursor.beginObject(text)
            while let name = try cursor.nextMember(text) {
                if JSONCursor.says(text, name, features),
                    cursor.peek(text) == UInt8(ascii: "["),
                    !names.contains(features)
                {
                    return true
                }
                try cursor.skipValue(text)
            }
            try cursor.end(text)
            return false
        } catch { throw RecordFault(error) }
    }
}
