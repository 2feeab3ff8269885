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
            guard case .score(let work) = stage.work,
                !stages.contains(where: { $0.trains(work.model.name) }),
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
}
