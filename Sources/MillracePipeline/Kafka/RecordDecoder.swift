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
        let raw = isText ? try RawRows(columns: columns, version) : nil
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
        if format == .json, try !raw.readObject(value) {
            return try vectors.add(value, to: &arena)
        }
        var row = arena.nextRow()
        if format == .json { try raw.encode(into: &row) } else { try raw.encode(value, into: &row) }
        arena.commitRow()
        return 1
    }
}

/// Rows as they were before they were encoded.
private final class RawRows {
    private let specification: FeatureSpecification
    private var encoder: RowEncoder
    /// The columns' names, in the order of the line.
    private let names: [[UInt8]]
    private let features = Array("features".utf8)
    /// What an object says of each column, as fields of CSV.
    private var fields: [[UInt8]]
    private var line: [UInt8] = []

    /// Nil where the model keeps no specification.
    init?(columns: [String]?, _ version: ServingVersion) throws(PipelineError) {
        let text = version.manifest.publication.specification
        guard !text.isEmpty else { return nil }
        do throws(FeatureError) {
            let found = try FeatureSpecification(json: text)
            let columns = columns ?? found.columns
            for feature in found.features where !columns.contains(feature.column) {
                throw FeatureError(
                    .unknownColumn, at: "",
                    "the column '\(feature.column)' is missing, which the model needs"
                        + NearestName.hint(feature.column, among: columns))
            }
            // Labels and routes are for rows that are learnt from.
            specification = try FeatureSpecification(
                schema: RowSchema(columns: columns), features: found.features,
                missingValues: found.missingValues)
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
        fields = names.map { _ in [] }
    }

    /// Encodes a line of CSV.
    func encode(_ text: Span<UInt8>, into row: inout MutableSpan<Float>) throws(RecordFault) {
        switch encoder.encode(text, offset: 0, into: &row) {
        case .encoded: return
        case .rejected(let reason, let column):
            throw RecordFault(
                .undecodable, specification.explain(reason, column: column, line: text))
        }
    }

    /// Encodes the object that was read last.
    func encode(into row: inout MutableSpan<Float>) throws(RecordFault) {
        line.removeAll(keepingCapacity: true)
        for (index, field) in fields.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            line.append(contentsOf: field)
        }
        let text = line
        try encode(text.span, into: &row)
    }

    /// Reads an object's columns; false where it has `features`, and is a vector.
    ///
    /// A column that is not there, or null, is a missing value; other members are passed over.
    func readObject(_ text: Span<UInt8>) throws(RecordFault) -> Bool {
        do throws(JSONFault) { return try readMembers(text) } catch {
            throw RecordFault(
                .undecodable, "byte \(error.position) of the value: expected \(error.expected)")
        }
    }

    private func readMembers(_ text: Span<UInt8>) throws(JSONFault) -> Bool {
        for index in fields.indices { fields[index].removeAll(keepingCapacity: true) }
        var cursor = JSONCursor()
        try cursor.beginObject(text)
        while let name = try cursor.nextMember(text) {
            if let index = names.firstIndex(where: { JSONCursor.says(text, name, $0) }) {
                try take(&cursor, text, into: &fields[index])
            } else if JSONCursor.says(text, name, features),
                cursor.peek(text) == UInt8(ascii: "[")
            {
                return false
            } else {
                try cursor.skipValue(text)
            }
        }
        try cursor.end(text)
        return true
    }

    /// Takes a text, a number, `true`, `false` or null as a field.
    private func take(
        _ cursor: inout JSONCursor, _ text: Span<UInt8>, into field: inout [UInt8]
    ) throws(JSONFault) {
        field.removeAll(keepingCapacity: true)
        switch cursor.peek(text) {
        case UInt8(ascii: "\""):
            var value: [UInt8] = []
            JSONCursor.unescape(text, try cursor.string(text), into: &value)
            // Quoted: whatever it holds, it is one field.
            field.append(UInt8(ascii: "\""))
            for byte in value {
                field.append(byte)
                if byte == UInt8(ascii: "\"") { field.append(byte) }
            }
            field.append(UInt8(ascii: "\""))
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            throw JSONFault(cursor.at, "a text, a number or null")
        case UInt8(ascii: "n"): _ = try cursor.takeNull(text)
        default:
            let begin = cursor.at
            try cursor.skipValue(text)
            for index in begin..<cursor.at { field.append(text[index]) }
        }
    }
}
