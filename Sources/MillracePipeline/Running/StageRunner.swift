internal import Logging
internal import MillraceCompute
internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceLog
internal import MillraceRepository
internal import MillraceServing
internal import MillraceSystem

/// Runs one stage of a pipeline: opens its group, then works on its partitions.
struct StageRunner {
    let stage: StageDefinition
    let plan: PipelinePlan
    let data: DataDirectory
    let board: TopicBoard
    let status: StageStatus
    let stop: StopFlag
    let rejections: RejectionLog
    let upstream: Upstream
    /// The trainer of the model that a score stage uses, where it is part of the run.
    let trainer: StageStatus?
    let logger: Logger

    var repository: ModelRepository { ModelRepository(path: plan.options.models) }

    func run() throws {
        if case .score(let work) = stage.work,
            let source = plan.definition.topic(named: work.from.name)?.kafka
        {
            return try score(work, from: source)
        }
        guard let source = board.wait(for: stage.input.name) else { return }
        do {
            switch stage.work {
            case .preprocess(let work): try preprocess(work, source)
            case .train(let work): try train(work, source)
            case .score(let work): try score(work, source)
            }
        } catch let error as LogError where error.code == .offsetOutOfRange {
            throw PipelineError(
                .badData, "stage \"\(stage.name)\" cannot go on where it was: \(error)",
                advice: adviceOnLostRows(of: source))
        }
    }

    private func adviceOnLostRows(of source: Topic) -> String {
        if case .train = stage.work {
            return "To train anew on the rows that are left, remove \(checkpointPath)."
        }
        return "To go on with the rows that are left: millrace group reset "
            + "\(stage.group) \(source.name) --to earliest"
    }

    private var checkpointPath: String { "\(data.path)/groups/\(stage.group)/checkpoint" }

    func group(
        _ topic: Topic, outputs: [Topic] = [], cores: [Int]?,
        coreSharing: CoreSharing = .withinProcess, isExclusive: Bool = false,
        mayHang: Bool = false
    ) throws -> ConsumerGroup {
        // A trainer may take any time for what it does between two looks at the group.
        let options =
            isExclusive
            ? MemberOptions(hangMilliseconds: 0)
            : mayHang
                ? MemberOptions(instance: plan.options.instance, hangMilliseconds: 0)
                : MemberOptions(instance: plan.options.instance)
        let group = try ConsumerGroup(
            data: data, name: stage.group, topics: [topic], outputs: outputs, cores: cores,
            coreSharing: plan.options.sharesCores ? .allowed : coreSharing,
            assignor: stage.assignor, isExclusive: isExclusive, options: options)
        if !plan.options.sharesCores { try warnOfShared(group) }
        status.begin(cores: Array(group.cores.prefix(topic.partitions)))
        return group
    }

    /// Says so when no core was free, and the stage has to share one with another process.
    private func warnOfShared(_ group: ConsumerGroup) throws {
        let others = try PipelinePlan.coresOfOthers(data)
        guard
            let use = others.first(where: { use in
                use.group != group.name && group.cores.contains(use.core)
            })
        else { return }
        logger.warning(
            """
            \(stage.name) shares core \(use.core) with group '\(use.group)' of process \
            \(use.process), since none is free
            """,
            metadata: [
                "core": "\(use.core)", "other_group": "\(use.group)", "process": "\(use.process)",
            ])
    }

    func loop(_ consumer: GroupConsumer, _ vote: EndVote) -> SlotLoop<GroupConsumer> {
        SlotLoop(
            consumer: consumer, upstream: upstream, stop: stop, status: status, vote: vote)
    }

    // MARK: Preprocess

    private func preprocess(_ work: PreprocessStage, _ source: Topic) throws {
        guard let specification = try specification(work, source) else { return }
        var outputs: [Topic] = []
        for reference in work.to {
            guard let definition = plan.definition.topic(named: reference.name),
                let wanted = plan.configuration(
                    of: definition, features: specification.value.width)
            else { preconditionFailure("validated: topic \(reference.name) is declared") }
            let topic = try data.topic(reference.name, creating: wanted)
            _ = try topic.dictionaryID(of: specification.dictionaryText)
            outputs.append(topic)
        }
        let opened = outputs
        for output in opened {
            try OutputOwners.claim(
                output, from: source.reference, source.name, for: stage.group)
        }
        let group = try group(
            source, outputs: opened, cores: stage.cores ?? plan.options.cores)
        let waiting = Countdown(group.cores.count)
        let vote = EndVote(voters: group.cores.count)
        try group.run { consumer in
            var loop = self.loop(consumer, vote)
            try loop.run { claim in
                try PreprocessTask(
                    claim: claim, consumer: consumer, group: group.name, source: source,
                    outputs: opened, specification: specification,
                    policy: work.definition.onBadRow, status: self.status,
                    rejections: self.rejections)
            } begun: {
                // When every writer has brought its partition in order, the outputs may be read.
                if waiting.countDown() { for topic in opened { self.board.add(topic) } }
            }
        }
        try group.sync()
    }

    /// The frozen specification: the one of an earlier run, or a new one.
    ///
    /// Of several processes one fits, and the others take what it has frozen.
    private func specification(
        _ work: PreprocessStage, _ source: Topic
    ) throws -> FrozenSpecification? {
        let directory = "\(data.path)/groups/\(stage.group)"
        try Files.createDirectory(directory)
        while !stop.isSet {
            if let lock = try FileLock.acquire("\(directory)/freezing") {
                let frozen = Result { try freeze(work, source) }
                // The lock is held until here.
                _ = consume lock
                return try frozen.get()
            }
            PinnedThread.sleep(nanoseconds: 5_000_000)
        }
        return nil
    }

    private func freeze(
        _ work: PreprocessStage, _ source: Topic
    ) throws -> FrozenSpecification? {
        let schema = try schema(of: source, work)
        if let frozen = try FrozenSpecification.load(data: data.path, group: stage.group) {
            try frozen.check(against: work.definition, schema: schema, stage: stage.name)
            return frozen
        }
        let pass = FitPass(source: source, upstream: upstream, stop: stop)
        let frozen = try pass.run(work.definition, schema: schema)
        try frozen?.save(data: data.path, group: stage.group, models: plan.options.models)
        return frozen
    }

    /// What the rows of a topic are: what its source found, kept in its dictionary, or what the
    /// stage says.
    private func schema(of source: Topic, _ work: PreprocessStage) throws -> RowSchema {
        let said = try plan.schemas[source.name] ?? source.rowSchema()
        guard let schema = said ?? work.rows else {
            throw PipelineError(
                .noInput, "topic '\(source.name)' does not say what its columns are called",
                advice: "Run the pipeline with its source first, or give the stage \"columns\".")
        }
        if let asked = work.rows, asked != schema {
            throw PipelineError(
                .badData,
                "stage \"\(stage.name)\" reads rows of \(asked.text), topic '\(source.name)' has "
                    + "\(schema.text)",
                advice: "Leave \"rows\" and \"columns\" out: the topic says what it has.")
        }
        return schema
    }

    // MARK: Train

    private func train(_ work: TrainStage, _ source: Topic) throws {
        let named = stage.cores ?? plan.options.cores
        let available =
            try named
            ?? CoreList(
                automaticOn: .current(), avoiding: PipelinePlan.coresOfOthers(data).map(\.core)
            ).cores
        let group = try group(
            source, cores: Array(available.prefix(source.partitions)),
            coreSharing: named == nil ? .allowed : .withinProcess, isExclusive: true)
        let metrics = try data.topic(
            MetricsTopic.name(of: stage.name), creating: MetricsTopic.configuration)
        board.add(metrics)
        let task = try TrainTask(
            work,
            TrainTask.Surroundings(
                topic: source, metrics: metrics, group: group, repository: repository,
                specification: try specification(of: source),
                checkpointPath: checkpointPath, status: status, stop: stop,
                upstream: upstream, rejections: rejections, logger: logger))
        let outcome = Result {
            try task.begin()
            try group.run { consumer in try task.work(consumer) }
        }
        try task.close()
        try outcome.get()
        try group.sync()
    }

    /// The specification in a feature topic's dictionary; nil where rows were made elsewhere.
    private func specification(of source: Topic) throws -> FrozenSpecification? {
        try source.dictionaryTexts(behind: FrozenSpecification.dictionaryPrefix).first.map {
            FrozenSpecification(try FeatureSpecification(json: $0))
        }
    }
}
