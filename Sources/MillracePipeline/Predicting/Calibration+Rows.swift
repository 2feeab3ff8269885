internal import MillraceCompute
internal import MillraceFeatures
internal import MillraceLog
internal import MillraceModels
public import MillraceRepository

/// Rows that a version is calibrated on: those of a file, or of a topic.
extension Calibration {
    private static let chunk = 1024

    /// Compares the predictions of at most `most` rows of a CSV file, which is read as
    /// `FilePredictor` reads it.
    ///
    /// - Throws: `PipelineError` with `noInput`, `inputOutput` or `badData`.
    public mutating func add(file path: String, most: Int) throws(PipelineError) {
        var reader = try FilePredictor(loaded, path: path)
        let width = loaded.model.inputWidth
        var left = most
        while left > 0 {
            let features = try reader.nextFeatures(min(Self.chunk, left))
            guard !features.isEmpty else { return }
            let rows = features.count / width
            add(FeatureMatrix(features.span, rows: rows, stride: width))
            left -= rows
        }
    }

    /// Compares the predictions of the first rows of each partition of a feature topic, as many of
    /// each, at most `most` in all.
    ///
    /// - Throws: `PipelineError` with `noInput` when there is no such topic, `badData` when its
    ///   features are not those that the model takes.
    public mutating func add(
        topic name: String, data path: String, most: Int
    ) throws(PipelineError) {
        let directory: DataDirectory
        do throws(LogError) { directory = try DataDirectory(path, create: false) } catch {
            throw PipelineError(error)
        }
        let topic = try directory.existingTopic(name)
        guard topic.configuration.kind == .features,
            topic.configuration.features == loaded.model.inputWidth
        else {
            throw PipelineError(
                .badData,
                "model \(title) takes \(loaded.model.inputWidth) features, topic '\(name)' has "
                    + (topic.configuration.kind == .features
                        ? "\(topic.configuration.features)"
                        : "\(topic.configuration.kind.rawValue)"))
        }
        let partitions = topic.partitions
        for partition in 0..<partitions {
            let share = most / partitions + (partition < most % partitions ? 1 : 0)
            do { try add(topic, partition, most: share) } catch { throw PipelineError.from(error) }
        }
    }

    private var title: String { "\(loaded.manifest.name)@\(loaded.version)" }

    private mutating func add(_ topic: Topic, _ partition: Int, most: Int) throws {
        let element = MatrixElement(topic.configuration.elementDecoding)
        var reader = try topic.reader(partition: partition)
        var left = most
        while left > 0 {
            guard let batch = try reader.next() else { return }
            try check(batch.specification, topic)
            let features = batch.features(element)
            let rows = min(left, features.rows)
            add(
                FeatureMatrix(
                    features.bytes, rows: rows, stride: features.stride,
                    element: features.element))
            left -= rows
        }
    }

    /// Refuses features that the model was not trained on, as scoring does.
    private func check(_ specification: UInt32, _ topic: Topic) throws {
        let known = loaded.manifest.publication.specificationID
        guard known != 0, specification != 0, let text = try topic.dictionaryText(specification),
            let found = try FrozenSpecification(dictionaryText: text),
            found.value.identifier != known
        else { return }
        throw PipelineError(
            .badData,
            "model \(title) was trained on feature specification \(known), topic '\(topic.name)' "
                + "has \(found.value.identifier)",
            advice: "Calibrate on features of the model's.")
    }
}
