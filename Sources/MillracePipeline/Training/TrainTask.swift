internal import FoundationEssentials
internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceLog
internal import MillraceModels
internal import MillraceRepository
internal import MillraceSystem

/// Trains one model from one feature topic, and publishes versions as it goes.
///
/// Metrics, checkpoint and version are made at the same points of the stream, in this order:
/// the checkpoint names the version that belongs to it before the version exists, so that after a
/// crash at any instant the same version is published once. Offsets are committed after it.
final class TrainTask {
    /// Labelled rows between two records of metrics.
    static let metricsRows = 2048
    /// Labelled rows between two checkpoints where the definition does not say.
    static let checkpointRows = 50_000

    private let stage: TrainStage
    private let topic: Topic
    private let consumer: GroupConsumer
    /// What the group owns: all partitions, in order.
    private let claims: [GroupConsumer.Claim]
    private let repository: ModelRepository
    private let specification: FrozenSpecification
    private let checkpointPath: String
    private let status: StageStatus
    private let stop: StopFlag
    private let upstream: Upstream
    private let metrics: MetricsTopic
    private let rejections: RejectionLog
    private let options: TrainingOptions
    /// Weights and all of an earlier run.
    private let restored: [UInt8]?
    private var position: TrainingPosition
    private var window = MetricsWindow()

    init(
        _ stage: TrainStage, topic: Topic, metrics: Topic, group: ConsumerGroup,
        consumer: GroupConsumer, repository: ModelRepository,
        specification: FrozenSpecification, checkpointPath: String, status: StageStatus,
        stop: StopFlag, upstream: Upstream, rejections: RejectionLog
    ) throws {
        self.stage = stage
        self.topic = topic
        self.consumer = consumer
        // It is alone in the group.
        claims = try consumer.changes()?.granted ?? []
        self.repository = repository
        self.specification = specification
        self.checkpointPath = checkpointPath
        self.status = status
        self.stop = stop
        self.upstream = upstream
        self.rejections = rejections
        options = try Self.options(stage, specification.value)
        let settings = try Self.settings(stage, options)
        if let saved = try TrainingCheckpoint.load(checkpointPath) {
            guard saved.position.topicID == topic.id, saved.position.settings == settings,
                saved.position.specification == specification.value.identifier
            else {
                throw PipelineError(
                    .usage,
                    "model '\(stage.model)' was being trained with other settings, features or "
                        + "data",
                    advice: "Use another data directory, or remove the checkpoint to train anew.",
                    file: checkpointPath)
            }
            position = saved.position
            restored = saved.trainer
        } else {
            position = TrainingPosition(
                topicID: topic.id, trainingID: UInt64.random(in: 0...UInt64.max),
                settings: settings, specification: specification.value.identifier,
                nextMetrics: Self.metricsRows,
                nextCheckpoint: stage.checkpointEveryRows ?? Self.checkpointRows,
                nextVersion: stage.publishEveryRows ?? Int.max)
            restored = nil
        }
        self.metrics = try MetricsTopic(
            metrics, training: position.trainingID, group: group.name,
            generation: group.generation())
    }

    /// Trains to the end of the topic, or until the run is stopped.
    ///
    /// A single pass that had reached its end goes on when the topic has grown since. Several
    /// passes over the same rows are over once they are done.
    func run() throws {
        var trainer = try resume()
        status.add(rows: position.sourceRows)
        try settle(trainer, again: true)
        if stage.epochs == 1 { position.isFinished = false }
        while !position.isFinished, !stop.isSet {
            try runEpoch(&trainer)
            guard !stop.isSet else { break }
            if position.epoch + 1 < stage.epochs {
                // Windows do not reach from one pass into the next.
                if window.rows > 0 { try metrics.append(record(trainer)) }
                position.epoch += 1
                position.turn = 0
                position.offsets = []
            } else {
                position.isFinished = true
                try reachPoint(&trainer, publish: trainer.rowsSeen > position.publishedRows)
            }
        }
        // What was learnt since the last checkpoint is learnt again, to the same bits.
        try metrics.close()
    }

    // MARK: Reading

    private func runEpoch(_ trainer: inout Trainer) throws {
        let feed = try BlockFeed(
            topic: topic, blockRows: stage.batchRows, objective: stage.learner.objective,
            offsets: position.offsets, turn: position.turn)
        var block = TrainingBlock()
        while !stop.isSet {
            let ended = upstream.hasEnded
            switch try feed.next(into: &block, ended: ended) {
            case .end: return
            case .waiting: PinnedThread.sleep(nanoseconds: 200_000)
            case .block:
                try learn(block, &trainer)
                position.sourceRows += block.sourceRows
                position.offsets = feed.offsets
                position.turn = feed.turn
                status.add(rows: block.sourceRows)
                try reachDuePoints(&trainer)
            }
        }
    }

    private func learn(_ block: TrainingBlock, _ trainer: inout Trainer) throws {
        for row in block.rejected {
            position.rejectedRows += 1
            status.add(rejected: 1)
            try rejections.reject(
                file: "topic \(topic.name), partition \(row.partition)", line: Int(row.offset),
                "label \(row.label) is none of the model's classes", policy: .skip)
        }
        guard !block.labels.isEmpty else { return }
        let evaluation: BatchEvaluation
        do throws(ModelError) {
            evaluation = try trainer.learn(
                block.features.span, rows: block.labels.count, stride: topic.configuration.features,
                labels: block.labels.span)
        } catch {
            throw PipelineError(
                .badData,
                "training of '\(stage.model)' on topic '\(topic.name)', rows before offsets "
                    + "\(position.offsets): \(error.description)",
                advice: "The versions published so far stay as they are.")
        }
        window.add(
            rows: evaluation.rows, lossSum: evaluation.lossSum, correct: evaluation.correct)
        if case .logistic = stage.learner.objective {
            let scores = trainer.batchOutputs
            for row in 0..<evaluation.rows {
                window.add(score: scores[row], positive: block.labels[row] == 1)
            }
        }
    }

    // MARK: Points of the stream

    private func reachDuePoints(_ trainer: inout Trainer) throws {
        let rows = trainer.rowsSeen
        if rows >= position.nextVersion || rows >= position.nextCheckpoint {
            try reachPoint(&trainer, publish: rows >= position.nextVersion)
        } else if rows >= position.nextMetrics {
            advance(past: rows)
            try metrics.append(record(trainer))
        }
    }

    /// Writes metrics, makes a checkpoint, and publishes when asked to.
    private func reachPoint(_ trainer: inout Trainer, publish: Bool) throws {
        let rows = trainer.rowsSeen
        advance(past: rows)
        position.pendingPublication = publish ? "\(position.trainingID)/\(rows)" : nil
        if publish { position.publishedRows = rows }
        position.pendingRecord = rows > 0 ? record(trainer) : nil
        try TrainingCheckpoint.save(
            position, trainer: trainer.checkpoint(), to: checkpointPath)
        try settle(trainer, again: false)
    }

    /// Publishes and says what belongs to the checkpoint, and commits its offsets: after a restart
    /// again, which changes nothing that is done.
    private func settle(_ trainer: borrowing Trainer, again: Bool) throws {
        let version = try publishPending(trainer, again: again)
        if var record = position.pendingRecord {
            record.version = version
            try metrics.append(record)
        }
        for claim in claims where claim.partition.partition < position.offsets.count {
            try consumer.commit(claim, next: position.offsets[claim.partition.partition])
        }
    }

    private func advance(past rows: Int) {
        func next(_ due: Int, _ every: Int?) -> Int {
            guard let every else { return Int.max }
            return due > rows ? due : (rows / every + 1) * every
        }
        position.nextMetrics = next(position.nextMetrics, Self.metricsRows)
        position.nextCheckpoint = next(
            position.nextCheckpoint, stage.checkpointEveryRows ?? Self.checkpointRows)
        position.nextVersion = next(position.nextVersion, stage.publishEveryRows)
    }

    private func publishPending(_ trainer: borrowing Trainer, again: Bool) throws -> Int? {
        guard let key = position.pendingPublication else { return nil }
        var publication = Publication(key: key)
        publication.program = "millrace"
        publication.specificationID = specification.value.identifier
        publication.specification = specification.value.json()
        publication.topic = topic.name
        publication.positions = position.offsets.enumerated().map {
            Publication.Position(partition: $0, nextOffset: Int64($1))
        }
        publication.rows = trainer.rowsSeen
        publication.steps = trainer.steps
        publication.training = trainer.options
        if let found = trainer.classification, found.rows > 0 {
            publication.metrics["prequentialLogLoss"] = found.logLoss
            publication.metrics["prequentialAccuracy"] = found.accuracy
            if let auc = found.auc { publication.metrics["prequentialAUC"] = auc }
        }
        if let found = trainer.regression, found.rows > 0 {
            publication.metrics["prequentialRMSE"] = found.rmse
            publication.metrics["prequentialMAE"] = found.mae
        }
        let model = try trainer.model(
            labels: LabelNames.names(for: specification.value, stage.learner.objective),
            featureNames: specification.value.featureNames)
        let version = try repository.publish(
            model, as: stage.model, publication, onceByKey: again)
        status.use(version: version)
        return version
    }

    /// What there is to say of the trainer now; begins a new window.
    private func record(_ trainer: borrowing Trainer) -> MetricsRecord {
        let loss =
            trainer.classification?.logLoss
            ?? trainer.regression.map { $0.rmse * $0.rmse / 2 } ?? 0
        // Without rows in the window its figures are those of the whole life.
        let hasRows = window.rows > 0
        var record = MetricsRecord(
            rows: trainer.rowsSeen, sourceRows: position.sourceRows, epoch: position.epoch,
            steps: trainer.steps, loss: loss, windowLoss: hasRows ? window.loss : loss)
        record.rejectedRows = position.rejectedRows
        if let life = trainer.classification {
            record.accuracy = life.accuracy
            record.windowAccuracy = hasRows ? window.accuracy : life.accuracy
            record.auc = life.auc
            record.windowAUC =
                hasRows
                ? ExactAUC.compute(scores: window.scores, positives: window.positives) : life.auc
        }
        status.judge(loss: record.loss, auc: record.auc, accuracy: record.accuracy)
        window = MetricsWindow()
        return record
    }

    // MARK: Resuming

    private func resume() throws -> Trainer {
        if let restored { return try Trainer(checkpoint: restored, options) }
        let trainer = try Trainer(options)
        // From now on the training has its identity, whenever the process is killed.
        try TrainingCheckpoint.save(
            position, trainer: trainer.checkpoint(), to: checkpointPath)
        return trainer
    }

    /// What decides the result besides the rows, as text.
    private static func settings(
        _ stage: TrainStage, _ options: TrainingOptions
    ) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(options), as: UTF8.self)
            + " epochs \(stage.epochs) versions \(stage.publishEveryRows ?? 0) "
            + "checkpoints \(stage.checkpointEveryRows ?? 0)"
    }

    private static func options(
        _ stage: TrainStage, _ specification: FeatureSpecification
    ) throws -> TrainingOptions {
        let policies = specification.policies
        var options = TrainingOptions(stage.learner.objective, features: policies.count)
        options.hidden = stage.learner.hidden
        options.activation = stage.learner.activation
        options.rate = stage.optimizer.rate
        options.beta1 = stage.optimizer.beta1
        options.beta2 = stage.optimizer.beta2
        options.epsilon = stage.optimizer.epsilon
        options.schedule = stage.schedule
        options.l2 = stage.l2
        options.seed = stage.seed
        options.batchRows = stage.batchRows
        options.scaledFeatures = policies.map(\.isScaled)
        options.imputation = policies.map {
            if case .constant(let value) = $0.impute { return .constant(Float(value)) }
            return .mean
        }
        try options.validate()
        return options
    }
}

/// What a model's classes are called.
enum LabelNames {
    /// The classes that the specification names, `no` and `yes` for a test, numbers otherwise.
    static func names(
        for specification: FeatureSpecification, _ objective: Objective
    ) -> [String] {
        switch specification.label?.rule {
        case .classes(let names) where names.count == objective.classes: names
        case .test where objective.classes == 2: ["no", "yes"]
        default: (0..<objective.classes).map(String.init)
        }
    }
}
