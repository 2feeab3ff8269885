internal import Logging
internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceKafka
internal import MillraceLog
internal import MillraceModels
internal import MillraceSystem

extension StageRunner {
    var checkpointPath: String { "\(data.path)/groups/\(stage.group)/checkpoint" }

    func train(_ work: TrainStage, _ source: Topic) throws {
        let named = stage.cores ?? plan.options.cores
        let rows = try chosen(LogRows(topic: source), work)
        let cores = Array(try availableCores().prefix(rows.partitions))
        let group = try group(
            source, partitions: work.partitions, cores: cores,
            coreSharing: named == nil ? .allowed : .withinProcess, isExclusive: true)
        let task = try task(
            work, of: rows, specification: specification(of: source),
            generation: group.generation(), slots: group.cores.count)
        try run(task) {
            try group.run { consumer in try task.work(LogTrainingMember(consumer, rows)) }
        }
        try group.sync()
    }

    /// The partitions that a stage learns from.
    private func chosen(
        _ rows: any TrainingRows, _ work: TrainStage
    ) throws(PipelineError) -> any TrainingRows {
        guard let numbers = work.partitions else { return rows }
        return try ChosenRows(numbers, of: rows)
    }

    /// Where a trainer exchanges with others; nil where it learns by itself.
    private func exchangeTransport(
        _ work: TrainStage, _ rows: any TrainingRows, _ specification: FrozenSpecification?
    ) throws -> (any ExchangeTransport)? {
        guard let exchange = work.exchange else { return nil }
        switch exchange.topic {
        case .log(let name):
            let setup = try TrainingSetup(
                work, features: rows.features, policies: specification?.value.policies)
            let configuration = LogExchange.configuration(
                contribution: ModelContribution.byteCount(setup.options))
            return LogExchange(try data.topic(name, creating: configuration))
        case .kafka(let address):
            return try kafkaExchange(exchange, through: address)
        }
    }

    private func task(
        _ work: TrainStage, of rows: any TrainingRows, specification: FrozenSpecification?,
        generation: UInt32, slots: Int
    ) throws -> TrainTask {
        let metrics = try data.topic(
            MetricsTopic.name(of: stage.name), creating: MetricsTopic.configuration)
        board.add(metrics)
        return try TrainTask(
            work,
            TrainTask.Surroundings(
                rows: rows, exchange: try exchangeTransport(work, rows, specification),
                metrics: metrics, group: stage.group, generation: generation,
                slots: slots, repository: repository, specification: specification,
                checkpointPath: checkpointPath, status: status, stop: stop,
                upstream: upstream, rejections: rejections, logger: logger))
    }

    /// Runs a task on the slots of a group that `body` brings together.
    private func run(_ task: TrainTask, _ body: () throws -> Void) throws {
        let outcome = Result {
            try task.begin()
            try body()
        }
        try task.close()
        try outcome.get()
    }

    /// The specification in a feature topic's dictionary; nil where rows were made elsewhere.
    private func specification(of source: Topic) throws -> FrozenSpecification? {
        try source.dictionaryTexts(behind: FrozenSpecification.dictionaryPrefix).first.map {
            FrozenSpecification(try FeatureSpecification(json: $0))
        }
    }

    #if Kafka
        /// From Kafka, as the only process of a consumer group there: the checkpoint says where to
        /// go on, and the group's offsets are a copy of it.
        func train(_ work: TrainStage, from source: KafkaTopicDefinition) throws {
            guard
                let topic = plan.definition.topic(named: work.from.name),
                case .features(let width, _, _) = topic.content
            else { preconditionFailure("validated: a topic of features is learnt from") }
            var frozen: FrozenSpecification?
            let features: Int
            switch width {
            case .fixed(let count): features = count
            case .stage(let encoder):
                guard let found = try specification(of: encoder) else { return }
                frozen = found
                features = found.value.width
            }
            var options = try groupOptions(source)
            options.partitions = work.partitions.map { Set($0) }
            // The one member has every partition, whoever shares them out; it ends when the group
            // changes, and where a cooperative one does so librdkafka 2.0.2 ends the process by an
            // assertion (its issue 4312).
            if stage.assignor == .sticky { options.strategy = "range" }
            guard let group = try connect(options) else { return }
            let all = KafkaRows(
                source, of: group, features: features, specification: frozen?.identifier ?? 0,
                upstream)
            let rows = try chosen(all, work)
            let cores = Array(try availableCores().prefix(rows.partitions))
            status.begin(cores: cores)
            status.join(topic: source.address.description) { group.owned }
            let task = try task(
                work, of: rows, specification: frozen, generation: 0, slots: cores.count)
            try run(task) {
                try group.run(name: stage.name, cores: cores) { member in
                    try task.work(KafkaTrainingMember(member, all, rows))
                }
            }
        }

        private func kafkaExchange(
            _ exchange: ModelExchange, through address: KafkaAddress
        ) throws -> any ExchangeTransport {
            let stop = stop
            return KafkaExchange(
                address.description,
                try KafkaJournal(
                    KafkaSinkOptions(address: address, properties: exchange.properties),
                    patienceMilliseconds: exchange.patienceMilliseconds,
                    isStopped: { stop.isSet }))
        }

        /// What the stage that makes the features has frozen, once it has; nil when the run is stopped.
        private func specification(of encoder: Reference) throws -> FrozenSpecification? {
            guard let stage = plan.definition.stage(named: encoder.name) else {
                preconditionFailure("validated: stage \(encoder.name) makes the features")
            }
            while !stop.isSet {
                let ended = upstream.haveWritersFinished
                if let found = try FrozenSpecification.load(data: data.path, group: stage.group) {
                    return found
                }
                guard !ended else {
                    throw PipelineError(
                        .noInput,
                        "stage \"\(stage.name)\" has not frozen in \(data.path) what its features "
                            + "are",
                        advice: "Run it first, with the same --data.")
                }
                PinnedThread.sleep(nanoseconds: 10_000_000)
            }
            return nil
        }
    #else
        func train(_ work: TrainStage, from source: KafkaTopicDefinition) throws {
            try KafkaError.checkBuilt()
        }

        private func kafkaExchange(
            _ exchange: ModelExchange, through address: KafkaAddress
        ) throws -> any ExchangeTransport {
            try KafkaError.checkBuilt()
            preconditionFailure("built without Kafka")
        }
    #endif
}
