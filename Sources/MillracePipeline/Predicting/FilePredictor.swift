public import MillraceFeatures
internal import MillraceInput
internal import MillraceModels
public import MillraceRepository

/// Predicts the rows of a file, plain or compressed, or of standard input: CSV with a header, or JSON
/// Lines, where the members of the first object are the columns.
///
/// Columns are found by name. Where the model keeps the specification by which its features were
/// made and the file has the columns that it needs, rows are raw and are encoded by it; otherwise
/// columns are the model's features. A model whose features have no names takes all columns in
/// their order. An empty field is a missing value, and so is what the specification says. A column
/// that is missing or unknown, and a row that cannot be read, end the reading with an error.
///
/// **Thread-safety**: one owner. **Memory**: bounded by the chunk of rows that is asked for.
public struct FilePredictor: ~Copyable {
    private let model: Model
    private let prepared: PreparedModel
    private let path: String
    private let specification: FeatureSpecification
    private var encoder: RowEncoder
    private var reader: LineReader
    private var row = 0
    /// The first line, where it is a row as well as a header; its text is still the reader's.
    private var pending: InputLine?
    /// Keeps the version from being pruned.
    private let hold: VersionHold

    /// Opens the file, `-` for standard input, and reads its header.
    ///
    /// - Parameter format: CSV or JSON Lines; nil for what the file's name ends with, else CSV.
    /// - Throws: `PipelineError` with `noInput`, `inputOutput` or `badData`.
    public init(
        _ loaded: LoadedModel, path: String, format: TextFormat? = nil
    ) throws(PipelineError) {
        let format = format ?? (RowFormat.named(path) == .jsonl ? .jsonl : .csv)
        var reader = try Self.open(path)
        let (header, line) = try Self.header(&reader, format)
        let schema = RowSchema(format, columns: header.names)
        let specification = try Columns(schema, path).specification(for: loaded)
        self.reader = reader
        pending = format == .csv ? nil : line
        self.specification = specification
        encoder = RowEncoder(specification)
        model = loaded.model
        prepared = loaded.prepared
        hold = loaded.hold
        self.path = path
    }

    private static func open(_ path: String) throws(PipelineError) -> LineReader {
        do throws(InputError) { return try LineReader(path: path) } catch {
            throw PipelineError(error)
        }
    }

    private static func header(
        _ reader: inout LineReader, _ format: TextFormat
    ) throws(PipelineError) -> (CSVHeader, InputLine) {
        do throws(InputError) {
            guard let line = try reader.next(), !line.isTooLong else {
                throw InputError(
                    .invalidHeader, path: reader.path, line: 1,
                    expected: format == .csv
                        ? "a line with the names of the columns" : "a JSON object",
                    found: "none")
            }
            let header =
                format == .csv
                ? try CSVHeader(line: reader.text, path: reader.path)
                : try CSVHeader(firstObject: reader.text, path: reader.path)
            return (header, line)
        } catch { throw PipelineError(error) }
    }

    /// The predictions of at most `count` more rows; none at the end of the file.
    ///
    /// - Throws: `PipelineError` with `badData` and the line, or `inputOutput`.
    public mutating func next(_ count: Int) throws(PipelineError) -> [RowPrediction] {
        let rows = try nextFeatures(count)
        let read = rows.count / prepared.inputWidth
        let outputs = prepared.predict(rows)
        let width = prepared.outputWidth
        defer { row += read }
        return (0..<read).map {
            RowPrediction(row + $0, Array(outputs[$0 * width..<($0 + 1) * width]), of: model)
        }
    }

    /// The numbers of at most `count` more rows as the model takes them; none at the end.
    mutating func nextFeatures(_ count: Int) throws(PipelineError) -> [Float] {
        var rows: [Float] = []
        var read = 0
        while read < count, let features = try nextRow() {
            rows += features
            read += 1
        }
        return rows
    }

    /// The numbers of the next row as the model takes them; nil at the end.
    private mutating func nextRow() throws(PipelineError) -> [Float]? {
        var features = [Float](repeating: 0, count: specification.width)
        let line: InputLine
        do throws(InputError) {
            if let first = pending.take() {
                line = first
            } else {
                guard let next = try reader.next() else { return nil }
                line = next
            }
        } catch { throw PipelineError(error) }
        guard !line.isTooLong else {
            throw bad("more than \(reader.maxLineBytes) bytes in one line", line)
        }
        var target = features.mutableSpan
        let outcome = encoder.encode(reader.text, offset: UInt64(line.number), into: &target)
        if case .rejected(let reason, let column) = outcome {
            throw bad(specification.explain(reason, column: column, line: reader.text), line)
        }
        guard let selection = model.input.selection, model.featureNames.count > 0 else {
            return features
        }
        var row = [Float](repeating: 0, count: selection.rowWidth)
        for (feature, column) in zip(features, selection.columns) { row[column] = feature }
        return row
    }

    private func bad(_ message: String, _ line: InputLine) -> PipelineError {
        Columns.error(message, path, line: line.number)
    }
}

/// The columns of a file that a model is to predict.
private struct Columns {
    let schema: RowSchema
    let path: String
    var names: [String] { schema.columns }

    init(_ schema: RowSchema, _ path: String) {
        self.schema = schema
        self.path = path
    }

    /// How rows of the file become the model's features.
    func specification(for loaded: LoadedModel) throws(PipelineError) -> FeatureSpecification {
        let model = loaded.model
        let text = loaded.manifest.publication.specification
        let missing: [String]
        do throws(FeatureError) {
            if text.isEmpty {
                missing = [""]
            } else {
                let found = try FeatureSpecification(json: text)
                missing = found.missingValues
                if isRaw(found, model) {
                    try check(needed: found.features.flatMap(\.columns), known: found.columns)
                    return try FeatureSpecification(
                        schema: schema, features: found.features, missingValues: missing)
                }
            }
            var features = model.featureNames
            if features.isEmpty {
                guard names.count == model.inputWidth else {
                    throw FeatureError(
                        .unknownColumn, at: "",
                        "\(names.count) columns, where the model takes \(model.inputWidth) numbers "
                            + "and has no names for them")
                }
                features = names
            }
            try check(needed: features, known: features)
            return try FeatureSpecification(
                schema: schema,
                features: features.map {
                    FrozenFeature(column: $0, encoding: .number(NumberEncoding()))
                }, missingValues: missing)
        } catch { throw Self.error(error.description, path, line: 1) }
    }

    /// Whether rows are as they were before they were encoded: they have what the encoding needs,
    /// or lack what the model takes.
    private func isRaw(_ specification: FeatureSpecification, _ model: Model) -> Bool {
        let names = Set(names)
        return names.isSuperset(of: specification.features.map(\.column))
            || !names.isSuperset(of: model.featureNames)
    }

    private func check(needed: [String], known: [String]) throws(FeatureError) {
        let there = Set(names)
        if let name = needed.first(where: { !there.contains($0) }) {
            throw FeatureError(
                .unknownColumn, at: "",
                "the column '\(name)' is missing, which the model needs"
                    + NearestName.hint(name, among: names.filter { !known.contains($0) }))
        }
        let expected = Set(known)
        if let name = names.first(where: { !expected.contains($0) }) {
            throw FeatureError(
                .unknownColumn, at: "",
                "the column '\(name)' is unknown to the model"
                    + NearestName.hint(name, among: known) + "; leave it out")
        }
    }

    static func error(_ message: String, _ path: String, line: Int) -> PipelineError {
        PipelineError(
            .badData, message, file: path == "-" ? "standard input" : path,
            position: SourcePosition(line: line, column: 1))
    }
}
