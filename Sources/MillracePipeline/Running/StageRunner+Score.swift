internal import Logging
internal import MillraceCompute
internal import MillraceGroups
internal import MillraceKafka
internal import MillraceLog
internal import MillraceModels
internal import MillraceRepository
internal import MillraceServing
internal import MillraceSystem

extension StageRunner {
    /// Runs `body` with the versions of the stage's model, once there is a first one.
    private func withModels(
        _ work: ScoreStage, _ body: (ModelFeed) throws -> Void
    ) throws {
        let kernels = work.kernels ?? KernelSet.best
        let models = ModelFeed(
            idle: repository, work.model, kernels: kernels, precision: work.precision,
            reduced: .processor(work.precision), logger: logger)
        status.watch(models)
        defer { status.endWatch() }
        guard try waitForVersion(models, work) else { return }
        try body(models)
    }

    /// The version of this moment: the first would be kept for as long as the stage runs.
    private func version(_ models: ModelFeed, _ work: ScoreStage) throws -> ServingVersion {
        guard let first = models.newer(than: 0) else {
            throw PipelineError(.internalError, "a version of '\(work.model)' is lost")
        }
        return first
    }

    private func task(
        _ work: ScoreStage, _ models: ModelFeed, _ first: ServingVersion,
        from input: any FeatureInput, to output: any PredictionOutput, rowsDone: Int
    ) -> ScoreTask {
        ScoreTask(
            from: input, to: output, model: work.model.name, models, first: first,
            status: status, rowsDone: rowsDone)
    }

    // MARK: From the log

    /// What reads a partition: features as they are stored, or text by the model's specification.
    private func input(
        _ source: Topic, _ partition: Int, from offset: UInt64, _ first: ServingVersion,
        _ work: ScoreStage, _ memory: SlotMemory
    ) throws -> LogInput {
        let text =
            source.configuration.kind == .bytes
            ? try TextRows(
                source, partition: partition, for: first, model: work.model.name,
                rejections: rejections) : nil
        return try LogInput(source, partition: partition, from: offset, text: text, memory)
    }

    func score(_ work: ScoreStage, _ source: Topic) throws {
        if let target = kafkaTopic(work.to) { return try score(work, source, to: target) }
        guard let output = board.wait(for: work.to.name) else { return }
        try OutputOwners.claim(output, from: source.reference, source.name, for: stage.group)
        try withModels(work) { models in
            let group = try group(
                source, outputs: [output], cores: stage.cores ?? plan.options.cores)
            try models.watch()
            defer { models.close() }
            let vote = EndVote(voters: group.cores.count)
            try group.run { consumer in
                var loop = self.loop(consumer, vote)
                let memory = SlotMemory()
                try loop.run { claim in
                    let first = try self.version(models, work)
                    let opened = try OutputPartition(
                        output, group: group.name, source: source, claim,
                        model: ModelMarks(work, first))
                    // The output is the truth; what the group committed is a copy of it.
                    let tail = opened.tail
                    let predictions = LogOutput(opened, memory) {
                        try consumer.commit(claim, next: $0)
                    }
                    let rows = try self.input(
                        source, claim.partition.partition, from: tail, first, work, memory)
                    return self.task(
                        work, models, first, from: rows, to: predictions, rowsDone: Int(tail))
                }
            }
            try group.sync()
        }
    }

    #if Kafka
        /// To Kafka: the group's commit follows the write, which may be done once more after a crash.
        private func score(
            _ work: ScoreStage, _ source: Topic, to target: KafkaTopicDefinition
        ) throws {
            try withModels(work) { models in
                // Brokers may be away for longer than a member may be silent.
                let group = try group(
                    source, cores: stage.cores ?? plan.options.cores, mayHang: true)
                try models.watch()
                defer { models.close() }
                let vote = EndVote(voters: group.cores.count)
                try group.run { consumer in
                    let sink = try KafkaSink(
                        KafkaSinkOptions(address: target.address, properties: target.properties),
                        patienceMilliseconds: target.patienceMilliseconds)
                    let partitions = try sink.partitions(of: target.address.topic)
                    var loop = self.loop(consumer, vote)
                    let memory = SlotMemory()
                    try loop.run { claim in
                        let number = claim.partition.partition
                        let first = try self.version(models, work)
                        let begin = try claim.committed ?? source.startOffset(partition: number)
                        let predictions = KafkaOutput(
                            sink, to: target, partition: number % partitions,
                            from: KafkaPlace(topic: source.name, partition: number),
                            deadLetters: nil, first
                        ) { next in
                            try sink.flush()
                            try consumer.commit(claim, next: next)
                        }
                        let rows = try self.input(source, number, from: begin, first, work, memory)
                        return self.task(
                            work, models, first, from: rows, to: predictions,
                            rowsDone: Int(begin))
                    }
                }
                try group.sync()
            }
        }
    #else
        private func score(
            _ work: ScoreStage, _ source: Topic, to target: KafkaTopicDefinition
        ) throws { try KafkaError.checkBuilt() }
    #endif

    /// Waits for the first version; no row is skipped meanwhile.
    ///
    /// - Returns: False when the run is stopped.
    private func waitForVersion(_ models: ModelFeed, _ work: ScoreStage) throws -> Bool {
        var hasSaidSo = false
        while !stop.isSet {
            let trainerEnded =
                trainers.isEmpty ? !plan.options.follow : trainers.allSatisfy(\.hasFinished)
            if try models.refresh() { return true }
            guard !trainerEnded else {
                throw PipelineError(
                    .noInput,
                    "there is no version of model '\(work.model)' in \(plan.options.models)"
                        + (trainers.isEmpty ? "" : ", and its trainer has ended"),
                    advice: "Train it first, or name another with --models.")
            }
            if !hasSaidSo {
                logger.notice(
                    "\(stage.name) waits for a first version of '\(work.model)'",
                    metadata: ["model": "\(work.model)"])
                hasSaidSo = true
            }
            PinnedThread.sleep(nanoseconds: 10_000_000)
        }
        return false
    }

    // MARK: From Kafka

    #if Kafka
        /// From Kafka, as a member of a consumer group there.
        func score(_ work: ScoreStage, from source: KafkaTopicDefinition) throws {
            var output: Topic?
            if kafkaTopic(work.to) == nil {
                guard let found = board.wait(for: work.to.name) else { return }
                output = found
            }
            try withModels(work) { models in
                let first = try self.version(models, work)
                let content = plan.definition.topic(named: work.from.name)?.content ?? .bytes
                let decoder = try RecordDecoder(source, content, for: first)
                if decoder.encodes { models.require(specification: first.specification) }
                guard let group = try connect(groupOptions(source)) else { return }
                if let output {
                    try OutputOwners.claim(
                        output, from: group.source, source.address.description,
                        for: stage.group)
                }
                let target = try kafkaTopic(work.to).map {
                    try KafkaTarget($0, from: source, group)
                }
                let cores = try cores(of: group)
                status.begin(cores: cores)
                status.join(topic: source.address.description) { group.owned }
                try models.watch()
                defer { models.close() }
                let vote = EndVote(voters: cores.count)
                let opened = output
                try group.run(name: stage.name, cores: cores) { member in
                    let slot = KafkaSlot(
                        member: member, work: work, source: source, content: content,
                        models: models,
                        identity: group.source)
                    try self.run(slot, log: opened, target, vote)
                }
            }
        }

        /// One slot's work.
        private func run(
            _ slot: KafkaSlot, log output: Topic?, _ target: KafkaTarget?, _ vote: EndVote
        ) throws {
            let member = slot.member
            let sink = try target.map { try $0.open(member) }
            var loop = SlotLoop(
                consumer: member, upstream: upstream, stop: stop, status: status, vote: vote)
            let memory = SlotMemory()
            try loop.run { claim in
                let first = try self.version(slot.models, slot.work)
                var position = claim.position
                let predictions: any PredictionOutput
                if let output {
                    let opened = try OutputPartition(
                        output, partition: claim.number % output.partitions,
                        group: self.stage.group, source: slot.identity,
                        partition: claim.number, start: UInt64(position ?? 0),
                        model: ModelMarks(slot.work, first))
                    position = member.resume(claim, at: opened.tail)
                    predictions = LogOutput(opened, memory) { member.advance(claim, to: Int64($0)) }
                } else if let target, let sink {
                    predictions = KafkaOutput(
                        sink, to: target.definition, partition: claim.number % target.partitions,
                        from: KafkaPlace(
                            topic: slot.source.address.topic, partition: claim.number),
                        deadLetters: target.letters(sink), first
                    ) { member.advance(claim, to: Int64($0)) }
                } else {
                    preconditionFailure("an output is in the log or in Kafka")
                }
                let policy = slot.source.onBadRecord
                let rows = KafkaInput(
                    try KafkaReading(
                        claim, of: slot.source, from: position,
                        KafkaReading.Policies(records: policy, rows: policy), self.upstream),
                    try RecordDecoder(slot.source, slot.content, for: first),
                    columns: first.model.inputWidth)
                return self.task(
                    slot.work, slot.models, first, from: rows, to: predictions, rowsDone: 0)
            }
        }
    #else
        func score(_ work: ScoreStage, from source: KafkaTopicDefinition) throws {
            try KafkaError.checkBuilt()
        }
    #endif
}

#if Kafka
    /// What a slot that reads Kafka works with.
    private struct KafkaSlot {
        let member: KafkaMember
        let work: ScoreStage
        let source: KafkaTopicDefinition
        let content: TopicDefinition.Content
        let models: ModelFeed
        /// The source as the log's dictionaries name it.
        let identity: String
    }

    /// The Kafka topic that a stage writes, and the one for records that are no rows.
    private struct KafkaTarget: Sendable {
        let definition: KafkaTopicDefinition
        let partitions: Int
        private let deadLetters: DeadLetterTopic?

        init(
            _ definition: KafkaTopicDefinition, from source: KafkaTopicDefinition,
            _ group: KafkaGroup
        ) throws(KafkaError) {
            self.definition = definition
            partitions = try group.partitions(of: definition.address)
            deadLetters = try DeadLetterTopic(of: source, group)
        }

        /// Where a slot puts records that are no rows; nil where it does not.
        func letters(_ sink: KafkaSink) -> DeadLetters? {
            deadLetters.map { DeadLetters(sink, to: $0) }
        }

        /// A slot's own way to it.
        func open(_ member: KafkaMember) throws(KafkaError) -> KafkaSink {
            try member.open(
                KafkaSinkOptions(
                    address: definition.address, properties: definition.properties))
        }
    }
#endif

extension ModelMarks {
    /// What predictions of a version in use say of it.
    fileprivate init(_ work: ScoreStage, _ version: ServingVersion) {
        self.init(name: work.model.name, kernels: version.model.kernelName)
    }
}
