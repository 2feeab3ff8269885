internal import MillraceCompute
internal import MillraceLog
internal import MillraceRepository

extension PipelinePlan {
    /// Finds models that are missing, or that do not fit the rows that they are to score, before
    /// anything is written.
    ///
    /// A model that a stage of this run trains is not looked at, and one that is not there yet may
    /// still come while a run follows. What else has to fit is checked as batches are read.
    func checkModels(_ data: DataDirectory, existing: [String]) throws {
        let repository = ModelRepository(path: options.models)
        for stage in stages {
            guard case .score(let work) = stage.work else { continue }
            try checkPrecision(of: work, stage, repository)
            guard !stages.contains(where: { $0.trains(work.model.name) }),
                isLocal(work.from.name, existing)
            else { continue }
            if options.follow, try repository.resolve(work.model) == nil { continue }
            let version = try repository.version(of: work.model)
            let manifest: Manifest
            do throws(RepositoryError) {
                manifest = try repository.manifest(work.model.name, version: version)
            } catch {
                // Scoring refuses it with this error, and takes the version below where it may.
                continue
            }
            let topic = try data.topic(work.from.name)
            guard topic.configuration.kind == .features else { continue }
            let architecture = manifest.architecture
            let width = architecture.selection?.rowWidth ?? architecture.layers.first?.first
            guard let width, width != topic.configuration.features else { continue }
            throw PipelineError(
                .badData,
                "model \(work.model.name)@\(version) takes \(width) features, topic "
                    + "'\(topic.name)' has \(topic.configuration.features)",
                advice: manifest.publication.topic.isEmpty
                    ? nil : "It was trained on topic '\(manifest.publication.topic)'.",
                file: definition.file, position: stage.position)
        }
    }

    /// Refuses a precision that no version which may be taken was calibrated for, or that none of
    /// those that this run trains can have been calibrated for when it is taken up.
    private func checkPrecision(
        of work: ScoreStage, _ stage: StageDefinition, _ repository: ModelRepository
    ) throws {
        guard work.precision != .float32 else { return }
        func refusal(_ message: String, _ advice: String) -> PipelineError {
            PipelineError(
                .badData, message, advice: advice, file: definition.file,
                position: stage.position)
        }
        let precision = work.precision.rawValue
        if work.model == ModelReference(work.model.name),
            stages.contains(where: { $0.trains(work.model.name) })
        {
            throw refusal(
                "stage '\(stage.name)' scores in \(precision) with versions of "
                    + "'\(work.model)' that this run trains, and that are not calibrated",
                "Score an alias, as \(work.model.name)@\(ModelReference.stable), that is promoted "
                    + "once a version is calibrated, or score in float32.")
        }
        let versions = try Array(repository.candidates(for: work.model))
        guard let meant = versions.first else { return }
        let isThere = versions.contains { version -> Bool in
            do throws(RepositoryError) {
                return try repository.precisions(of: work.model.name, version: version)
                    .contains { $0.precision == work.precision }
            } catch {
                // Scoring refuses it with this error.
                return true
            }
        }
        guard !isThere else { return }
        let name = "\(work.model.name)@\(meant)"
        throw refusal(
            "model \(name) is not calibrated for \(precision)",
            "Run millrace model quantize \(name) --precision \(precision) on rows that it is to "
                + "score.")
    }
}
