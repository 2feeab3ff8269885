internal import MillraceCompute
internal import MillraceFeatures
internal import MillraceLog
internal import MillraceModels
internal import MillraceRepository
internal import MillraceServing

/// Turns rows of text into a model's features, by the specification that travels with the model.
///
/// **Thread-safety**: one owner.
final class RawRows {
    /// Mark of a row that could not be read.
    static let unreadableMark: UInt8 = 2
    /// Features of about this many bytes are made and scored at once: they stay in the L2 cache.
    private static let blockBytes = 256 << 10

    private let source: Topic
    private let partition: Int
    private let specification: FeatureSpecification
    private let rejections: RejectionLog
    private let blockRows: Int
    private var encoder: RowEncoder
    private var block: [Float]
    /// The rows of the last batch that could not be read, from its first row that counts.
    private(set) var unreadable: [Int] = []

    /// - Throws: `PipelineError` with `badData` where the model keeps no specification, or one that
    ///   does not fit the columns of the topic.
    init(
        _ source: Topic, partition: Int, for version: ServingVersion, model name: String,
        rejections: RejectionLog
    ) throws {
        self.source = source
        self.partition = partition
        self.rejections = rejections
        specification = try Self.specification(of: version, name, for: source)
        encoder = RowEncoder(specification)
        let width = encoder.width
        blockRows = min(4096, max(64, Self.blockBytes / (width * 4)))
        block = [Float](repeating: 0, count: blockRows * width)
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
        do throws(FeatureError) {
            let kept = try FeatureSpecification(json: text)
            let schema: RowSchema
            do throws(LogError) { schema = try source.rowSchema() ?? kept.schema } catch {
                throw FeatureError(.unknownColumn, at: "", error.description)
            }
            let found = try FeatureSpecification(
                schema: schema, features: kept.features, missingValues: kept.missingValues)
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

    /// Scores all rows of a batch that are not skipped; the outputs of one that cannot be read are
    /// NaN, and `unreadable` names it.
    func predict(
        _ batch: borrowing RecordBatch, by model: PreparedModel,
        into outputs: inout MutableSpan<Float>, workspace: inout ScoringWorkspace
    ) {
        unreadable.removeAll(keepingCapacity: true)
        let rows = batch.rows - batch.skippedRows
        let width = model.outputWidth
        var first = 0
        while first < rows {
            let count = min(blockRows, rows - first)
            let read = unreadable.count
            encode(batch, first..<first + count)
            var part = outputs._mutatingExtracting(first * width..<(first + count) * width)
            model.predict(
                block.span, rows: count, stride: encoder.width, into: &part,
                workspace: &workspace)
            for row in unreadable[read...] {
                for index in (row - first) * width..<(row - first + 1) * width {
                    part[index] = .nan
                }
            }
            first += count
        }
    }

    private func encode(_ batch: borrowing RecordBatch, _ rows: Range<Int>) {
        for row in rows {
            let place = (row - rows.lowerBound) * encoder.width
            if case .rejected = encode(batch, row, at: place) { unreadable.append(row) }
        }
    }

    /// Encodes a row to its place in the block.
    private func encode(
        _ batch: borrowing RecordBatch, _ row: Int, at place: Int
    ) -> RowOutcome {
        let index = batch.skippedRows + row
        var all = block.mutableSpan
        var features = all._mutatingExtracting(place..<place + encoder.width)
        return encoder.encode(
            batch.value(index), offset: batch.baseOffset + UInt64(index), into: &features)
    }

    /// Tells about the rows of the last batch that could not be read.
    func reportUnreadable(in batch: borrowing RecordBatch) throws {
        for row in unreadable {
            guard case .rejected(let reason, let column) = encode(batch, row, at: 0) else {
                continue
            }
            let index = batch.skippedRows + row
            let place = try RowPlace(index, of: batch, in: source, partition: partition)
            try rejections.reject(
                file: place.file, line: place.line,
                specification.explain(reason, column: column, line: batch.value(index)),
                policy: .skip)
        }
    }
}
