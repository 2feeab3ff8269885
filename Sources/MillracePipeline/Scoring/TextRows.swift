internal import MillraceFeatures
internal import MillraceLog
internal import MillraceModels
internal import MillraceRepository
internal import MillraceServing

/// Rows of text on their way to a model: they become features by the specification that travels with
/// it.
///
/// The features of a row that cannot be read are NaN. **Thread-safety**: one owner.
final class TextRows {
    /// The features that were made last, `[rows, width]`.
    private(set) var block: [Float]
    /// How many rows are made at once, at most.
    let blockRows: Int
    var width: Int { encoder.width }

    private let source: Topic
    private let partition: Int
    private let specification: FeatureSpecification
    private let rejections: RejectionLog
    private var encoder: RowEncoder

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
        blockRows = FeatureBlock.rows(width: encoder.width)
        block = [Float](repeating: 0, count: blockRows * encoder.width)
    }

    /// The features of the model, made of the columns that the topic has.
    private static func specification(
        of version: ServingVersion, _ name: String, for source: Topic
    ) throws -> FeatureSpecification {
        guard let kept = try keptSpecification(of: version, name, for: source) else {
            throw PipelineError(
                .badData,
                "topic '\(source.name)' holds bytes, and model \(name)@\(version.version) does not "
                    + "say how rows of text become its features",
                advice: "Score a topic of features, or a model that was trained behind a "
                    + "preprocess stage.")
        }
        return kept
    }

    private static func keptSpecification(
        of version: ServingVersion, _ name: String, for source: Topic
    ) throws -> FeatureSpecification? {
        let said = try source.rowSchema()
        do throws(FeatureError) {
            guard let found = try version.keptSpecification(for: { said ?? $0.schema }) else {
                return nil
            }
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

    /// Makes features of rows of a batch; returns those that cannot be read.
    func encode(_ batch: borrowing RecordBatch, _ rows: Range<Int>) throws -> [Int] {
        var unreadable: [Int] = []
        for index in rows {
            let row = index - rows.lowerBound
            let place = row * width..<(row + 1) * width
            let line = batch.value(index)
            let outcome: RowOutcome
            do {
                var all = block.mutableSpan
                var features = all._mutatingExtracting(place)
                outcome = encoder.encode(
                    line, offset: batch.baseOffset + UInt64(index), into: &features)
            }
            guard case .rejected(let reason, let column) = outcome else { continue }
            unreadable.append(row)
            for feature in place { block[feature] = .nan }
            let origin = try RowPlace(index, of: batch, in: source, partition: partition)
            try rejections.reject(
                file: origin.file, line: origin.line,
                specification.explain(reason, column: column, line: line), policy: .skip)
        }
        return unreadable
    }
}

/// How many rows of features are made at once.
enum FeatureBlock {
    /// About this many bytes: large enough to compress well, small enough for the L2 cache.
    private static let bytes = 256 << 10

    static func rows(width: Int) -> Int { min(4096, max(64, bytes / (width * 4))) }
}

extension ServingVersion {
    /// The specification that the model keeps, for rows of the schema that `choose` makes of it.
    ///
    /// Labels and routes are left out: they are for rows that are learnt from. Nil where the model
    /// keeps none.
    func keptSpecification(
        for choose: (FeatureSpecification) throws(FeatureError) -> RowSchema
    ) throws(FeatureError) -> FeatureSpecification? {
        let text = manifest.publication.specification
        guard !text.isEmpty else { return nil }
        let kept = try FeatureSpecification(json: text)
        return try FeatureSpecification(
            schema: choose(kept), features: kept.features, missingValues: kept.missingValues)
    }
}
