internal import MillraceCompute
internal import MillraceFeatures
internal import MillraceLog
internal import MillraceModels
internal import MillraceRepository
internal import MillraceServing

/// A partition of a topic of text as a score stage reads it: rows become features by the
/// specification that travels with the model.
///
/// The features of a row that cannot be read are NaN, and `FeatureRows.unreadable` names it.
/// **Thread-safety**: one owner.
final class RawInput: FeatureInput {
    /// Features of about this many bytes are made and scored at once: they stay in the L2 cache.
    private static let blockBytes = 256 << 10

    private let source: Topic
    private let partition: Int
    private let specification: FeatureSpecification
    private let rejections: RejectionLog
    private let blockRows: Int
    private var reader: PartitionReader?
    private var encoder: RowEncoder
    private var block: [Float]

    /// Begins at `offset`.
    ///
    /// - Throws: `PipelineError` with `badData` where the model keeps no specification, or one that
    ///   does not fit the columns of the topic; `LogError` as `LogInput`.
    init(
        _ source: Topic, partition: Int, from offset: UInt64, for version: ServingVersion,
        model name: String, rejections: RejectionLog
    ) throws {
        self.source = source
        self.partition = partition
        self.rejections = rejections
        specification = try Self.specification(of: version, name, for: source)
        encoder = RowEncoder(specification)
        blockRows = min(4096, max(64, Self.blockBytes / (encoder.width * 4)))
        block = [Float](repeating: 0, count: blockRows * encoder.width)
        reader = try source.reader(
            partition: partition, from: offset, holding: source.waitsForReaders)
    }

    /// The features of the model, made of the columns that the topic has.
    private static func specification(
        of version: ServingVersion, _ name: String, for source: Topic
    ) throws -> FeatureSpecification {
        let text = version.manifest.publication.specification
        guard !text.isEmpty else {
            throw PipelineError(
                .badData,
                "topic '\(source.name)' holds bytes, and model \(name)@\(version.version) does not "
                    + "say how rows of text become its features",
                advice: "Score a topic of features, or a model that was trained behind a "
                    + "preprocess stage.")
        }
        let said = try source.rowSchema()
        do throws(FeatureError) {
            let kept = try FeatureSpecification(json: text)
            // Labels and routes are for rows that are learnt from.
            let found = try FeatureSpecification(
                schema: said ?? kept.schema, features: kept.features,
                missingValues: kept.missingValues)
            guard found.width == version.model.inputWidth else {
                throw FeatureError(
                    .invalidDefinition, at: "",
                    "its specification makes \(found.width) features, it takes "
                        + "\(version.model.inputWidth)")
            }
            return found
        } catch {
            throw PipelineError(
                .badData,
                "model \(name)@\(version.version) does not fit topic '\(source.name)': "
                    + error.description)
        }
    }

    var name: String { source.name }
    /// What is in the log can be read at once.
    var isAtEnd: Bool { true }
    var lag: Int { 0 }

    func next(_ body: (FeatureRows) throws -> Void) throws -> Bool {
        guard var reader = reader.take() else { return false }
        let worked = try step(&reader, body)
        self.reader = consume reader
        return worked
    }

    private func step(
        _ reader: inout PartitionReader, _ body: (FeatureRows) throws -> Void
    ) throws -> Bool {
        guard let batch = try reader.next() else { return false }
        var first = batch.skippedRows
        while first < batch.rows {
            let end = min(first + blockRows, batch.rows)
            let unreadable = try encode(batch, first..<end)
            try hand(
                block, batch.baseOffset + UInt64(first)..<batch.baseOffset + UInt64(end),
                batch.epoch, unreadable, to: body)
            first = end
        }
        return true
    }

    private func hand(
        _ block: [Float], _ range: Range<UInt64>, _ epoch: UInt32, _ unreadable: [Int],
        to body: (FeatureRows) throws -> Void
    ) throws {
        let matrix = FeatureMatrix(block.span, rows: range.count, stride: encoder.width)
        try body(
            FeatureRows(
                matrix, columns: encoder.width, range, epoch: epoch, unreadable: unreadable))
    }

    /// Encodes rows of a batch into the block; returns those that cannot be read.
    private func encode(
        _ batch: borrowing RecordBatch, _ rows: Range<Int>
    ) throws -> [Int] {
        var unreadable: [Int] = []
        let width = encoder.width
        for index in rows {
            let row = index - rows.lowerBound
            let offset = batch.baseOffset + UInt64(index)
            let line = batch.value(index)
            let outcome: RowOutcome
            do {
                var all = block.mutableSpan
                var features = all._mutatingExtracting(row * width..<(row + 1) * width)
                outcome = encoder.encode(line, offset: offset, into: &features)
            }
            guard case .rejected(let reason, let column) = outcome else { continue }
            unreadable.append(row)
            for place in row * width..<(row + 1) * width { block[place] = .nan }
            let place = try RowPlace(index, of: batch, in: source, partition: partition)
            try rejections.reject(
                file: place.file, line: place.line,
                specification.explain(reason, column: column, line: line), policy: .skip)
        }
        return unreadable
    }

    /// None: the rows were encoded by what the model keeps.
    func specification(_ id: UInt32) throws -> FrozenSpecification? { nil }

    func close() { reader = nil }
}
