internal import Logging
internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceLog
internal import MillraceModels
internal import MillraceRepository
internal import MillraceSystem

/// What a trainer does at certain points of the stream, all by one thread while the lanes rest.
extension TrainTask {
    /// Looks for changes of the stream.
    func watch(_ evaluation: BatchEvaluation) {
        guard let drift = stage.drift, evaluation.rows > 0 else { return }
        guard let rise = position.lossWatch.add(evaluation.loss, drift) else { return }
        position.alarms.append(DriftAlarm(kind: .loss, feature: nil, distance: rise))
    }

    /// Writes, saves and publishes what is due.
    ///
    /// `checkpoint` asks for one at once: a decision is to be replayed whatever happens next.
    func reachDuePoints(checkpoint: Bool) throws {
        let rows = trainer.rowsSeen
        let publish = rows >= position.nextVersion && hasAverage
        if publish || checkpoint || rows >= position.nextCheckpoint {
            try reachPoint(publish: publish)
        } else if rows >= position.nextMetrics || !position.alarms.isEmpty {
            advance(past: rows, publish: false)
            try say(record())
        }
    }

    /// Begins a checkpoint, with metrics and, when asked for, a version that belong to it.
    func reachPoint(publish: Bool) throws {
        try collect(waiting: true)
        let rows = trainer.rowsSeen
        advance(past: rows, publish: publish)
        position.pendingPublication = nil
        position.gate = nil
        if publish {
            let verdict = try judgeCandidate()
            position.gate = verdict
            if verdict.outcome == .refused {
                logger.warning(
                    "no version of '\(stage.model)' after \(rows) rows: \(verdict.reason ?? "")",
                    metadata: [
                        "model": "\(stage.model)", "rows": "\(rows)",
                        "reason": "\(verdict.reason ?? "")",
                    ])
            } else {
                position.pendingPublication = publicationKey
            }
            position.publishedRows = rows
        }
        position.pendingRecord = rows > 0 ? record() : nil
        let handed = Lock<Moment?>(moment())
        isSaving = true
        saver.start {
            guard let moment = handed.withLock({ $0.take() }) else { return }
            // Nothing keeps the weights from here on: a next step that comes later need not copy.
            let settlement = try self.encode(moment)
            try Files.writeDurably(self.checkpointPath, self.checkpointBytes)
            try self.settle(settlement, again: false)
        }
    }

    /// Fills `checkpointBytes`, and says what is to be done once they are durable.
    private func encode(_ moment: consuming Moment) throws -> Settlement {
        try TrainingCheckpoint.encode(
            moment.position, heldOut: moment.heldOut.encoded(), into: &checkpointBytes
        ) { moment.trainer.encode(into: &$0) }
        return try settlement(of: moment)
    }

    /// What a checkpoint holds, as it is now.
    func moment() -> Moment {
        Moment(position: position, heldOut: heldOut, trainer: trainer.snapshot())
    }

    /// Takes note of a checkpoint that is done; `waiting` waits for it.
    ///
    /// - Throws: what went wrong with it.
    func collect(waiting: Bool) throws {
        guard isSaving, waiting || !saver.isBusy else { return }
        isSaving = false
        try saver.wait()
        commits = savedOffsets
        defer { heldRecords = [] }
        for record in heldRecords { try metrics.append(record) }
    }

    /// Writes a record, behind that of a checkpoint that is being saved: nobody waits for it.
    func say(_ record: MetricsRecord) throws {
        try collect(waiting: false)
        if isSaving { heldRecords.append(record) } else { try metrics.append(record) }
    }

    /// What belongs to a checkpoint and is published and said once that is durable.
    struct Settlement: Sendable {
        var position: TrainingPosition
        var version: (model: Model, publication: Publication)?
    }

    func settlement(of moment: Moment) throws -> Settlement {
        Settlement(
            position: moment.position,
            version: try publication(of: moment).map { (try model(moment.trainer), $0) })
    }

    /// Publishes and says what belongs to a checkpoint: after a restart again, which changes nothing
    /// that is done.
    func settle(_ settlement: Settlement, again: Bool) throws {
        var refusal: GateVerdict?
        var version: Int?
        do { version = try publish(settlement, again: again) } catch let error as RepositoryError {
            // Its predictions of golden rows overflow: that is so whenever it is tried.
            guard error.code == .invalidModel else { throw error }
            logger.warning(
                "no version of '\(stage.model)': \(error.description)",
                metadata: ["model": "\(stage.model)", "reason": "\(error.description)"])
            refusal = GateVerdict(outcome: .refused, reason: error.description)
        }
        if var record = settlement.position.pendingRecord {
            record.version = version
            record.gate = refusal ?? record.gate
            try metrics.append(record)
        }
        savedOffsets = settlement.position.offsets.map { rows.offset(of: $0) }
    }

    private func advance(past rows: Int, publish: Bool) {
        func next(_ due: Int, _ every: Int?) -> Int {
            guard let every else { return Int.max }
            return due > rows ? due : (rows / every + 1) * every
        }
        position.nextMetrics = next(
            position.nextMetrics, Self.metricsRows(after: rows, stage.drift))
        position.nextCheckpoint = next(
            position.nextCheckpoint, stage.checkpointEveryRows ?? Self.checkpointRows)
        // A version that is due waits for the next average.
        if publish || exchanger == nil {
            position.nextVersion = next(position.nextVersion, stage.publishEveryRows)
        }
    }

    // MARK: Versions

    private func model(_ snapshot: TrainingSnapshot) throws -> Model {
        try snapshot.model(
            labels: LabelNames.names(for: specification?.value, setup.options.objective),
            featureNames: specification?.value.featureNames ?? [])
    }

    /// Whether the model as it is now may be published.
    private func judgeCandidate() throws -> GateVerdict {
        func skipped(_ reason: String) -> GateVerdict {
            GateVerdict(outcome: .skipped, reason: reason)
        }
        let candidate: Model
        do { candidate = try model(trainer.snapshot()) } catch let error as ModelError {
            return GateVerdict(outcome: .refused, reason: error.description)
        }
        guard stage.holdOut != nil else { return skipped("no rows are held out") }
        guard heldOut.count >= PublishGate.minRows else {
            return skipped("\(heldOut.count) held-out rows, of \(PublishGate.minRows) needed")
        }
        guard setup.options.objective.classes == 0 || !heldOut.hasOneClass else {
            return skipped("the held-out rows are of one class")
        }
        guard let version = try repository.resolve(ModelReference(stage.model)) else {
            return skipped("there is no current version")
        }
        let current = try repository.load(stage.model, version: version).model
        guard current.inputWidth == candidate.inputWidth, current.head == candidate.head,
            current.outputWidth == candidate.outputWidth
        else { return skipped("version \(version) is of another shape") }
        let loss = heldOut.loss(of: candidate, setup.options.loss)
        let currentLoss = heldOut.loss(of: current, setup.options.loss)
        let isGood = loss.isFinite && loss <= currentLoss * (1 + stage.gate.margin)
        var verdict = GateVerdict(outcome: isGood ? .passed : .refused)
        if loss.isFinite { verdict.loss = loss }
        if currentLoss.isFinite { verdict.currentLoss = currentLoss }
        if !isGood {
            verdict.reason =
                "loss \(loss) on \(heldOut.count) held-out rows, and version \(version) has "
                + "\(currentLoss)"
        }
        return verdict
    }

    private func publication(of moment: Moment) -> Publication? {
        let (position, trainer) = (moment.position, moment.trainer)
        guard let key = position.pendingPublication else { return nil }
        var publication = Publication(key: key)
        publication.program = "millrace"
        if let specification {
            publication.specificationID = specification.identifier
            publication.specification = specification.said.json()
        }
        publication.topic = rows.name
        publication.positions = position.offsets.enumerated().map {
            Publication.Position(
                partition: rows.number(of: $0), nextOffset: Int64(rows.offset(of: $1)))
        }
        publication.rows = trainer.average?.rows ?? trainer.rowsSeen
        publication.steps = trainer.average?.steps ?? trainer.steps
        publication.training = setup.options
        let life = trainer.metrics
        if let found = life.classification, found.rows > 0 {
            publication.metrics["prequentialLogLoss"] = found.logLoss
            publication.metrics["prequentialAccuracy"] = found.accuracy
            if let auc = found.auc { publication.metrics["prequentialAUC"] = auc }
        }
        if let found = life.regression, found.rows > 0 {
            publication.metrics["prequentialRMSE"] = found.rmse
            publication.metrics["prequentialMAE"] = found.mae
        }
        return publication
    }

    private func publish(_ settlement: Settlement, again: Bool) throws -> Int? {
        guard let (model, publication) = settlement.version else { return nil }
        let version =
            if let place = settlement.position.exchange {
                try repository.publish(
                    model, as: stage.model, publication, unless: standing(to: place))
            } else {
                try repository.publish(
                    model, as: stage.model, publication, onceByKey: again)
            }
        status.use(
            version: version, created: Int(Clock.wallNanoseconds() / 1_000_000_000))
        logger.info(
            "model \(stage.model)@\(version) is published",
            metadata: ["model": "\(stage.model)", "version": "\(version)"])
        pruneVersions()
        return version
    }

    /// Removes versions that are too old; what cannot be removed now can be later.
    private func pruneVersions() {
        guard let count = stage.keepVersions else { return }
        do throws(RepositoryError) { try repository.prune(stage.model, keeping: count) } catch {
            logger.warning(
                "old versions of '\(stage.model)' are not removed: \(error.description)",
                metadata: ["model": "\(stage.model)", "error": "\(error.description)"])
        }
    }

    // MARK: Metrics

    /// What there is to say of the trainer now; begins a new window.
    func record() -> MetricsRecord {
        let life = trainer.metrics
        let window = takeWindow()
        let loss = life.rows > 0 ? life.loss : 0
        // Without rows in the window its figures are those of the whole life.
        let hasRows = window.rows > 0
        var record = MetricsRecord(
            rows: trainer.rowsSeen, sourceRows: position.sourceRows, epoch: position.epoch,
            steps: trainer.steps, loss: loss,
            windowLoss: hasRows ? window.plainLossSum / Double(window.rows) : loss)
        record.rejectedRows = position.rejectedRows
        if let found = life.classification, found.rows > 0 {
            record.accuracy = found.accuracy
            record.windowAccuracy = hasRows ? window.accuracy : found.accuracy
            record.auc = found.auc
            record.calibrationError = found.calibrationError
            let counted = classification?.take(found)
            record.windowAUC = hasRows ? counted?.auc : found.auc
            record.windowCalibrationError =
                hasRows ? counted?.calibrationError : found.calibrationError
        }
        if let found = life.regression, found.rows > 0 {
            record.rmse = found.rmse
            record.windowRMSE =
                hasRows ? (window.squareSum / Double(window.rows)).squareRoot() : found.rmse
        }
        record.heldOut = heldOutRecord()
        record.gate = position.gate
        position.gate = nil
        if stage.drift != nil, hasRows { watchFeatures() }
        record.alarms = position.alarms.isEmpty ? nil : position.alarms
        for alarm in position.alarms {
            logger.warning("\(status.name): \(alarm)", metadata: ["alarm": "\(alarm)"])
        }
        position.alarms = []
        status.judge(loss: record.loss, auc: record.auc, accuracy: record.accuracy)
        return record
    }

    private func heldOutRecord() -> HeldOutMetrics? {
        let held = trainer.heldOutMetrics
        guard held.rows > 0 else { return nil }
        return HeldOutMetrics(
            rows: held.rows, loss: held.loss, accuracy: held.classification?.accuracy,
            auc: held.classification?.auc)
    }

    /// Compares the features of the rows since the last record with those of the whole life.
    private func watchFeatures() {
        guard let drift = stage.drift, let shift = trainer.takeShift(),
            shift.deviations > drift.shift
        else { return }
        let names = specification?.value.featureNames ?? []
        let name = shift.feature < names.count ? names[shift.feature] : "\(shift.feature)"
        position.alarms.append(
            DriftAlarm(kind: .feature, feature: name, distance: shift.deviations))
    }
}
