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
    private func topic(_ reference: Reference) -> KafkaTopicDefinition? {
        plan.definition.topic(named: reference.name)?.kafka
    }

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
        if let target = topic(work.to) { return try score(work, source, to: target) }
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
                    let predictions = try LogOutput(
                        output, group: group.name, source: source, claim: claim,
                        model: work.model.name, first, memory
                    ) { try consumer.commit(claim, next: $0) }
                    // The output is the truth; what the group committed is a copy of it.
                    let rows = try self.input(
                        source, claim.partition.partition, from: predictions.tail, first, work,
                        memory)
                    return self.task(
                        work, models, first, from: rows, to: predictions,
                        rowsDone: Int(predictions.tail))
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
                            from: .init(topic: source.name, partition: number),
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
            let trainerEnded = trainer?.hasFinished ?? !plan.options.follow
            if try models.refresh() { return true }
            guard !trainerEnded else {
                throw PipelineError(
                    .noInput,
                    "there is no version of model '\(work.model)' in \(plan.options.models)"
                        + (trainer == nil ? "" : ", and its trainer has ended"),
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
            if topic(work.to) == nil {
                guard let found = board.wait(for: work.to.name) else { return }
                output = found
            }
            try withModels(work) { models in
                let first = try self.version(models, work)
                let decoder = try RecordDecoder(
                    source.rowFormat, columns: source.columns, for: first)
                if decoder.encodes { models.require(specification: first.specification) }
                guard let group = try connect(source) else { return }
                if let output {
                    try OutputOwners.claim(
                        output, from: group.source, source.address.description,
                        for: stage.group)
                }
                let target = try topic(work.to).map {
                    try KafkaTarget($0, deadLetters: source.deadLetters, group)
                }
                let cores = try cores(of: group)
                status.begin(cores: cores)
                try models.watch()
                defer { models.close() }
                let vote = EndVote(voters: cores.count)
                let opened = output
                try group.run(name: stage.name, cores: cores) { member in
                    let slot = KafkaSlot(
                        member: member, work: work, source: source, models: models,
                        identity: group.source)
                    try self.run(slot, log: opened, target, vote)
                }
            }
        }

        /// The group; nil where the run is stopped while no broker answers.
        private func connect(_ source: KafkaTopicDefinition) throws -> KafkaGroup? {
            let stop = stop
            let options = try groupOptions(source)
            do throws(KafkaError) { return try KafkaGroup(options) { stop.isSet } } catch {
                // Who asked for an end does not mind that no broker answered meanwhile.
                guard stop.isSet, error.code == .noBroker else { throw error }
                return nil
            }
        }

        private func groupOptions(
            _ source: KafkaTopicDefinition
        ) throws(PipelineError) -> KafkaGroupOptions {
            let strategy: String
            switch stage.assignor {
            case .sticky: strategy = "cooperative-sticky"
            case .range: strategy = "range"
            case .roundRobin: strategy = "roundrobin"
            case .hash:
                throw PipelineError(
                    .usage, "stage \"\(stage.name)\": Kafka's groups have no assignor 'hash'",
                    advice: "It is sticky, range or roundRobin.", file: plan.definition.file,
                    position: stage.position)
            }
            return KafkaGroupOptions(
                address: source.address, group: stage.group, instance: plan.options.instance,
                strategy: strategy, properties: source.properties,
                onOutOfRange: source.onOutOfRange,
                patienceMilliseconds: source.patienceMilliseconds)
        }

        private func cores(of group: KafkaGroup) throws -> [Int] {
            let available =
                try stage.cores ?? plan.options.cores
                ?? CoreList(
                    automaticOn: .current(), avoiding: PipelinePlan.coresOfOthers(data).map(\.core)
                ).cores
            return Array(available.prefix(group.partitions))
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
                    let written = try LogOutput(
                        output, partition: claim.number % output.partitions,
                        group: self.stage.group, source: slot.identity,
                        partition: claim.number, start: UInt64(position ?? 0),
                        model: slot.work.model.name, first, memory
                    ) { member.advance(claim, to: Int64($0)) }
                    // The output is the truth; what the group committed is a copy of it.
                    if position != nil || written.tail > 0 { position = Int64(written.tail) }
                    predictions = written
                } else if let target, let sink {
                    predictions = KafkaOutput(
                        sink, to: target.definition, partition: claim.number % target.partitions,
                        from: .init(
                            topic: slot.source.address.topic, partition: claim.number),
                        deadLetters: target.deadLetters, first
                    ) { member.advance(claim, to: Int64($0)) }
                } else {
                    preconditionFailure("an output is in the log or in Kafka")
                }
                let rows = try KafkaInput(
                    claim, of: slot.source.address, from: position,
                    RecordDecoder(
                        slot.source.rowFormat, columns: slot.source.columns, for: first),
                    columns: first.model.inputWidth, onBadRecord: slot.source.onBadRecord)
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
        let models: ModelFeed
        /// The source as the log's dictionaries name it.
        let identity: String
    }

    /// The Kafka topic that a stage writes, and the one for records that are no rows.
    private struct KafkaTarget: Sendable {
        let definition: KafkaTopicDefinition
        let partitions: Int
        let deadLetters: (topic: String, partitions: Int)?

        init(
            _ definition: KafkaTopicDefinition, deadLetters: String?, _ group: KafkaGroup
        ) throws(KafkaError) {
            self.definition = definition
            partitions = try group.partitions(of: definition.address)
            var found: (topic: String, partitions: Int)?
            if let deadLetters {
                found = (
                    deadLetters,
                    try group.partitions(of: definition.address.topic(deadLetters))
                )
            }
            self.deadLetters = found
        }

        /// A slot's own way to it.
        func open(_ member: KafkaMember) throws(KafkaError) -> KafkaSink {
            try member.open(
                KafkaSinkOptions(
                    address: definition.address, properties: definition.properties))
        }
    }
#endif
