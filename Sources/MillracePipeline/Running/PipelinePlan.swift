internal import MillraceCompute
internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceInput
internal import MillraceKafka
internal import MillraceLog
internal import MillraceRepository
internal import MillraceSystem

/// Everything that is found out about a run before anything is written.
struct PipelinePlan: Sendable {
    let definition: PipelineDefinition
    let options: RunOptions
    /// The stages that take part, in the order of the file.
    let stages: [StageDefinition]
    /// The sources that take part: all, or none when stages were chosen.
    let sources: [SourceDefinition]
    /// The Kafka topics that take part, likewise.
    let kafkaSources: [KafkaSourceDefinition]
    /// The column names of topics of bytes that a source of this run feeds.
    let schemas: [String: RowSchema]

    init(_ definition: PipelineDefinition, _ options: RunOptions) throws(PipelineError) {
        self.definition = definition
        self.options = options
        // A wrong name in the environment would otherwise be passed over in silence.
        do throws(ComputeError) { _ = try KernelSet.choose() } catch {
            throw PipelineError(.usage, error.description)
        }
        try definition.validate()
        if let topic = definition.topics.first(where: { $0.kafka != nil }) {
            do throws(KafkaError) { try KafkaError.checkBuilt() } catch {
                throw PipelineError(
                    .usage, error.summary, file: definition.file, position: topic.position)
            }
        }
        if let chosen = options.stages {
            for name in chosen where definition.stage(named: name) == nil {
                let names = definition.stages.map(\.name)
                let near = NearestName.suggest(name, among: names)
                throw PipelineError(
                    .usage, "there is no stage \"\(name)\"",
                    advice: near.map { "Did you mean \"\($0)\"?" }
                        ?? "Stages: \(names.joined(separator: ", ")).",
                    file: definition.file)
            }
            stages = definition.stages.filter { chosen.contains($0.name) }
            sources = []
            kafkaSources = []
        } else {
            stages = definition.stages
            sources = definition.sources
            kafkaSources = definition.kafkaSources
        }
        var schemas: [String: RowSchema] = [:]
        for source in sources {
            let schema = try FileSource.schema(of: source)
            if let other = schemas.updateValue(schema, forKey: source.to.name), other != schema {
                throw PipelineError(
                    .badData, "has other columns than the source before it of the same topic",
                    file: source.file)
            }
        }
        for source in kafkaSources {
            guard let schema = try KafkaSource.schema(of: source) else { continue }
            if let other = schemas.updateValue(schema, forKey: source.to.name), other != schema {
                throw PipelineError(
                    .badData, "has other columns than the source before it of the same topic",
                    file: source.address.description)
            }
        }
        self.schemas = schemas
        try checkColumns()
        try checkPartitions()
        try checkCores()
        try checkExisting()
    }

    /// Finds definitions that do not fit the columns, before a row is read.
    private func checkColumns() throws(PipelineError) {
        for stage in stages {
            // What a model's features are is known when it is loaded.
            guard case .preprocess(let work) = stage.work, work.model == nil,
                let schema = schema(for: work)
            else { continue }
            do throws(FeatureError) {
                _ = try SpecificationFitter(definition: work.definition, schema: schema)
            } catch {
                throw PipelineError(
                    .usage, "stage \"\(stage.name)\": \(error.description)",
                    file: definition.file, position: stage.position)
            }
        }
    }

    /// What the rows of a preprocess stage are, as far as it is known before anything is read.
    private func schema(for work: PreprocessStage) -> RowSchema? {
        if let kafka = definition.topic(named: work.from.name)?.kafka {
            return work.schema(of: kafka)
        }
        return schemas[work.from.name] ?? work.rows
    }

    private func checkPartitions() throws(PipelineError) {
        for stage in stages {
            let input = definition.topic(named: stage.input.name)
            for output in stage.outputs {
                let topic = definition.topic(named: output.name)
                // Kafka's topics have as many as they have; a partition goes to that of its number,
                // modulo how many there are.
                guard input?.kafka == nil, topic?.kafka == nil else { continue }
                guard topic?.partitions == input?.partitions else {
                    throw PipelineError(
                        .usage,
                        "topics \"\(stage.input.name)\" and \"\(output.name)\" have different "
                            + "numbers of partitions",
                        advice: "A stage writes each partition to the same partition of its "
                            + "output; only so has every row exactly one outcome.",
                        file: definition.file, position: output.position)
                }
            }
        }
    }

    private func checkCores() throws(PipelineError) {
        let lists = stages.compactMap(\.cores) + [options.cores].compactMap { $0 }
        for cores in lists {
            do throws(GroupError) {
                _ = try CoreList(parsing: cores.map(String.init).joined(separator: ","))
            } catch {
                throw PipelineError(error)
            }
        }
    }

    /// Looks at a data directory that is there already.
    private func checkExisting() throws(PipelineError) {
        guard Files.exists(options.data + "/format") || Files.exists(options.data + "/topics")
        else { return try checkInputs(existing: []) }
        do {
            let data = try DataDirectory(options.data, create: false)
            try checkFree(data)
            let names = try data.topicNames()
            try checkInputs(existing: names)
            try checkSchemas(data, existing: Set(names))
            try checkOutputs(data, existing: Set(names))
            try checkFrozen()
            try checkModels(data, existing: names)
            for topic in definition.topics where isLocal(topic.name, names) {
                if let wanted = configuration(of: topic, features: width(of: topic)) {
                    _ = try data.topic(topic.name, matching: wanted)
                }
            }
        } catch {
            throw PipelineError.from(error)
        }
    }

    /// Whether a topic is in the log, and there already.
    func isLocal(_ name: String, _ existing: some Sequence<String>) -> Bool {
        definition.topic(named: name)?.kafka == nil && existing.contains(name)
    }

    /// Refuses a source whose rows are other than those that its topic has.
    private func checkSchemas(_ data: DataDirectory, existing names: Set<String>) throws {
        for (name, schema) in schemas where names.contains(name) {
            guard let found = try data.topic(name).rowSchema(), found != schema else { continue }
            throw PipelineError(
                .badData,
                "topic '\(name)' has rows of \(found.text), and its source has \(schema.text)",
                advice: "Give the source a topic of its own.", file: definition.file,
                position: definition.topic(named: name)?.position)
        }
    }

    /// Refuses a stage whose output another group makes of the same topic: a stage that was renamed
    /// would write every row again.
    private func checkOutputs(_ data: DataDirectory, existing names: Set<String>) throws {
        for stage in stages where isLocal(stage.input.name, names) {
            let source = try data.topic(stage.input.name)
            for output in stage.outputs where isLocal(output.name, names) {
                let target = try data.topic(output.name)
                guard let owner = try OutputOwners.owner(of: target, from: source),
                    owner != stage.group
                else { continue }
                var refusal = OutputOwners.refusal(of: owner, output.name, stage.input.name)
                refusal.advice =
                    "Was the stage renamed? Go on where it was with 'group: \(owner)', or name "
                    + "another topic."
                refusal.file = definition.file
                refusal.position = output.position
                throw refusal
            }
        }
    }

    /// Cores on which groups of other processes run; the stages of one run share theirs.
    static func coresOfOthers(_ data: DataDirectory) throws -> [CoreUse] {
        let own = Int(try ProcessIdentity.current().pid)
        return try GroupCatalog(data).coreUses().filter { $0.process != own }
    }

    /// Refuses named cores on which groups of other processes run.
    private func checkFree(_ data: DataDirectory) throws {
        guard !options.sharesCores else { return }
        let uses = try Self.coresOfOthers(data)
        for stage in stages {
            let cores = stage.cores ?? options.cores ?? []
            let use = uses.first { $0.group != stage.group && cores.contains($0.core) }
            guard let use else { continue }
            throw PipelineError(
                .tryLater,
                "stage \"\(stage.name)\" is to run on core \(use.core), which group "
                    + "'\(use.group)' of process \(use.process) uses",
                advice: "Name other cores, or say --share-cores.",
                file: definition.file, position: stage.position)
        }
    }

    /// A run of some stages needs what the others have written.
    private func checkInputs(existing: [String]) throws(PipelineError) {
        let written =
            sources.map(\.to.name) + kafkaSources.map(\.to.name)
            + stages.flatMap(\.outputs).map(\.name)
            + definition.topics.filter { $0.kafka != nil }.map(\.name)
        for stage in stages where !(existing + written).contains(stage.input.name) {
            throw PipelineError(
                .noInput,
                "stage \"\(stage.name)\" reads topic \"\(stage.input.name)\", which is not in "
                    + "\(options.data), and nothing in this run writes it",
                advice: "Run the stages before it first, or name another directory with --data.",
                file: definition.file, position: stage.position)
        }
    }

    /// Refuses other features than those that rows were encoded by.
    private func checkFrozen() throws {
        for stage in stages {
            guard case .preprocess(let work) = stage.work, work.model == nil,
                let schema = schema(for: work),
                let frozen = try FrozenSpecification.load(data: options.data, group: stage.group)
            else { continue }
            try frozen.check(against: work.definition, schema: schema, stage: stage.name)
        }
    }

    /// The features of a topic as far as they are known before anything is read.
    private func width(of topic: TopicDefinition) -> Int? {
        switch topic.content {
        case .features(.fixed(let count), _, _): return count
        case .features(.stage, _, _):
            guard let (_, work) = definition.encoder(of: topic), work.model == nil,
                let schema = schema(for: work)
            else { return nil }
            do throws(FeatureError) {
                return try SpecificationFitter(definition: work.definition, schema: schema).width
            } catch { return nil }
        default: return 0
        }
    }

    /// The log's configuration of a topic; nil while its width is not known.
    func configuration(of topic: TopicDefinition, features: Int?) -> TopicConfiguration? {
        guard let features else { return nil }
        var configuration: TopicConfiguration
        switch topic.content {
        case .bytes: configuration = TopicConfiguration(kind: .bytes)
        case .features(_, let element, let labelled):
            configuration = TopicConfiguration(
                kind: .features, features: features, label: labelled)
            configuration.elementType = ElementType(rawValue: element.rawValue) ?? .float32
            configuration.scale = Float(topic.storage.scale)
            configuration.zeroPoint = topic.storage.zeroPoint
        case .predictions: configuration = TopicConfiguration(kind: .predictions)
        }
        configuration.partitions = topic.partitions
        switch topic.codec {
        case .none: configuration.codec = .none
        case .lz4(let level):
            configuration.codec = .lz4
            configuration.level = level
        }
        configuration.filter = topic.storage.filter
        configuration.flush = topic.storage.flush
        configuration.retention = topic.storage.retention
        if let bytes = topic.storage.segmentBytes { configuration.segmentBytes = bytes }
        configuration.segmentMilliseconds = topic.storage.segmentMilliseconds
        return configuration
    }
}
