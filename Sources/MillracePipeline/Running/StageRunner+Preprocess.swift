internal import Logging
internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceKafka
internal import MillraceLog
internal import MillraceRepository
internal import MillraceSystem

extension StageRunner {
    func preprocess(_ work: PreprocessStage, _ source: Topic) throws {
        guard
            let specification = try specification(
                work, schema: { try self.schema(of: source, work, $0) },
                fit: {
                    try FitPass(source: source, upstream: self.upstream, stop: self.stop)
                        .run(work.definition, schema: $0)
                })
        else { return }
        guard work.to.allSatisfy({ kafkaTopic($0) == nil }) else {
            return try preprocess(work, source, toKafkaBy: specification)
        }
        let outputs = try outputs(of: work, specification)
        for output in outputs {
            try OutputOwners.claim(
                output, from: source.reference, source.name, for: stage.group)
        }
        let group = try group(
            source, outputs: outputs, cores: stage.cores ?? plan.options.cores)
        let waiting = Countdown(group.cores.count)
        let vote = EndVote(voters: group.cores.count)
        try group.run { consumer in
            var loop = self.loop(consumer, vote)
            try loop.run { claim in
                let lanes = try outputs.map {
                    try LogLane(
                        OutputPartition($0, group: group.name, source: source, claim), of: $0,
                        specification)
                }
                // The outputs are the truth; what the group committed is a copy of it.
                let start = lanes.map(\.tail).min() ?? 0
                return try self.task(
                    work, source, claim.partition.partition, from: start,
                    RowSorter(specification.value, into: lanes)
                ) { try consumer.commit(claim, next: $0) }
            } begun: {
                // When every writer has brought its partition in order, the outputs may be read.
                if waiting.countDown() { for topic in outputs { self.board.add(topic) } }
            }
        }
        try group.sync()
    }

    private func task(
        _ work: PreprocessStage, _ source: Topic, _ partition: Int, from start: UInt64,
        _ sorter: RowSorter, onProgress: @escaping (UInt64) throws -> Void
    ) throws -> PreprocessTask {
        try PreprocessTask(
            source, partition: partition, from: start, sorter, policy: work.definition.onBadRow,
            status: status, rejections: rejections, onProgress: onProgress)
    }

    /// The stage's topics of the log.
    private func outputs(
        of work: PreprocessStage, _ specification: FrozenSpecification
    ) throws -> [Topic] {
        try work.to.map { reference in
            guard let definition = plan.definition.topic(named: reference.name),
                let wanted = plan.configuration(
                    of: definition, features: specification.value.width)
            else { preconditionFailure("validated: topic \(reference.name) is declared") }
            let topic = try data.topic(reference.name, creating: wanted)
            _ = try topic.dictionaryID(of: specification.dictionaryText)
            return topic
        }
    }

    // MARK: The specification

    /// The frozen specification: the one of an earlier run, or a new one; nil when the run is stopped.
    ///
    /// Of several processes one fits, and the others take what it has frozen.
    private func specification(
        _ work: PreprocessStage, schema: (FeatureSpecification?) throws -> RowSchema,
        fit: (RowSchema) throws -> FrozenSpecification?
    ) throws -> FrozenSpecification? {
        let directory = "\(data.path)/groups/\(stage.group)"
        try Files.createDirectory(directory)
        while !stop.isSet {
            if let lock = try FileLock.acquire("\(directory)/freezing") {
                let frozen = Result { try freeze(work, schema, fit) }
                // The lock is held until here.
                _ = consume lock
                return try frozen.get()
            }
            PinnedThread.sleep(nanoseconds: 5_000_000)
        }
        return nil
    }

    private func freeze(
        _ work: PreprocessStage, _ schema: (FeatureSpecification?) throws -> RowSchema,
        _ fit: (RowSchema) throws -> FrozenSpecification?
    ) throws -> FrozenSpecification? {
        let earlier = try FrozenSpecification.load(data: data.path, group: stage.group)
        if let model = work.model {
            let frozen = try features(of: model, work, schema)
            guard earlier == nil || earlier?.identifier == frozen.identifier else {
                throw PipelineError(
                    .usage,
                    "stage '\(stage.name)' encoded its rows by another specification than that of "
                        + "model '\(model)', which is frozen with the data",
                    advice: "Give the stage another \"group\" and other topics.")
            }
            try frozen.save(data: data.path, group: stage.group, models: plan.options.models)
            return frozen
        }
        let schema = try schema(nil)
        if let earlier {
            try earlier.check(against: work.definition, schema: schema, stage: stage.name)
            return earlier
        }
        let frozen = try fit(schema)
        try frozen?.save(data: data.path, group: stage.group, models: plan.options.models)
        return frozen
    }

    /// The features that a model was trained on, made of rows as they are here.
    private func features(
        of model: ModelReference, _ work: PreprocessStage,
        _ schema: (FeatureSpecification?) throws -> RowSchema
    ) throws -> FrozenSpecification {
        let version = try repository.version(of: model)
        let text = try repository.manifest(model.name, version: version).publication.specification
        guard !text.isEmpty else {
            throw PipelineError(
                .usage,
                "model \(model.name)@\(version) keeps no feature specification for stage "
                    + "'\(stage.name)'",
                advice: "List the stage's \"features\", or train a model behind a preprocess stage."
            )
        }
        let kept = try FeatureSpecification(json: text)
        return FrozenSpecification(
            try FeatureSpecification(
                schema: schema(kept), features: kept.features, label: work.definition.label,
                routes: work.definition.routes, missingValues: kept.missingValues), said: kept)
    }

    /// What the rows of a topic are: what its source found, kept in its dictionary, what the stage
    /// says, or those of the model whose features are wanted.
    private func schema(
        of source: Topic, _ work: PreprocessStage, _ kept: FeatureSpecification?
    ) throws -> RowSchema {
        let said = try plan.schemas[source.name] ?? source.rowSchema()
        guard let schema = said ?? work.rows ?? kept?.schema else {
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

    #if Kafka
        // MARK: Kafka

        /// From the log to Kafka: the group's commit follows the write, which may be done once more
        /// after a crash.
        private func preprocess(
            _ work: PreprocessStage, _ source: Topic, toKafkaBy specification: FrozenSpecification
        ) throws {
            // Brokers may be away for longer than a member may be silent.
            let group = try group(source, cores: stage.cores ?? plan.options.cores, mayHang: true)
            let vote = EndVote(voters: group.cores.count)
            try group.run { consumer in
                let targets = try self.targets(of: self.stage.outputs)
                let sink = try targets.openSink()
                let counts = try targets.countPartitions { try sink.partitions(of: $0.topic) }
                var loop = self.loop(consumer, vote)
                try loop.run { claim in
                    let number = claim.partition.partition
                    let start = try claim.committed ?? source.startOffset(partition: number)
                    let lanes = targets.lanes(sink, counts, from: number, specification)
                    return try self.task(
                        work, source, number, from: start,
                        RowSorter(specification.value, into: lanes)
                    ) { next in
                        try sink.flush()
                        try consumer.commit(claim, next: next)
                    }
                }
            }
            try group.sync()
        }

        /// From Kafka, as a member of a consumer group there.
        func preprocess(_ work: PreprocessStage, from source: KafkaTopicDefinition) throws {
            let options = try groupOptions(source)
            guard let group = try connect(options),
                let specification = try specification(
                    work,
                    schema: { kept in
                        guard let schema = work.schema(of: source, kept) else {
                            preconditionFailure("validated: the columns of \(source.address)")
                        }
                        return schema
                    },
                    fit: {
                        try KafkaFitPass(
                            FirstRecords(options), partitions: group.partitions, stop: self.stop,
                            follow: self.plan.options.follow
                        ).run(work.definition, schema: $0)
                    })
            else { return }
            let isToKafka = work.to.contains { kafkaTopic($0) != nil }
            let outputs = isToKafka ? [] : try outputs(of: work, specification)
            for output in outputs {
                try OutputOwners.claim(
                    output, from: group.source, source.address.description, for: stage.group)
            }
            let targets = isToKafka ? try targets(of: stage.outputs) : nil
            let counts = try targets?.countPartitions { try group.partitions(of: $0) } ?? []
            let letters = try DeadLetterTopic(of: source, group)
            let policy: BadRecordAction =
                source.onBadRecord == .deadLetter
                ? .deadLetter : work.definition.onBadRow == .fail ? .stop : .skip
            let cores = try cores(of: group)
            status.begin(cores: cores)
            status.join(topic: source.address.description) { group.owned }
            for output in outputs { board.add(output) }
            let vote = EndVote(voters: cores.count)
            try group.run(name: stage.name, cores: cores) { member in
                let sink = try targets.map { try $0.openSink(member) }
                let deadLetters = sink.flatMap { sink in
                    letters.map { DeadLetters(sink, to: $0) }
                }
                var loop = SlotLoop(
                    consumer: member, upstream: self.upstream, stop: self.stop,
                    status: self.status, vote: vote)
                try loop.run { claim in
                    var position = claim.position
                    let lanes: [any FeatureLane]
                    if let targets, let sink {
                        lanes = targets.lanes(sink, counts, from: claim.number, specification)
                    } else {
                        let opened = try outputs.map {
                            try self.lane(
                                $0, of: group.source, claim.number, start: position,
                                specification)
                        }
                        position = member.resume(claim, at: opened.map(\.tail).min() ?? 0)
                        lanes = opened
                    }
                    return KafkaPreprocessTask(
                        try KafkaReading(
                            claim, of: source, from: position,
                            KafkaReading.Policies(records: source.onBadRecord, rows: policy),
                            self.upstream),
                        of: KafkaPlace(topic: source.address.topic, partition: claim.number),
                        RowSorter(specification.value, into: lanes), deadLetters: deadLetters,
                        status: self.status, rejections: self.rejections
                    ) { member.advance(claim, to: Int64($0)) }
                }
            }
        }

        private func lane(
            _ output: Topic, of source: String, _ partition: Int, start: Int64?,
            _ specification: FrozenSpecification
        ) throws -> LogLane {
            try LogLane(
                OutputPartition(
                    output, partition: partition % output.partitions, group: stage.group,
                    source: source, partition: partition, start: UInt64(start ?? 0)),
                of: output, specification)
        }
    #else
        private func preprocess(
            _ work: PreprocessStage, _ source: Topic, toKafkaBy specification: FrozenSpecification
        ) throws { try KafkaError.checkBuilt() }

        func preprocess(_ work: PreprocessStage, from source: KafkaTopicDefinition) throws {
            try KafkaError.checkBuilt()
        }
    #endif
}
