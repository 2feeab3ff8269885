internal import Logging
internal import MillraceModels
internal import MillraceRepository
internal import MillraceSystem

/// A trainer that learns one model together with others: exchanges while its lanes rest.
extension TrainTask {
    // MARK: Beginning

    /// Begins with the newest average of a topic; nil where the trainer learns by itself.
    static func newExchanger(
        _ stage: TrainStage, _ around: Surroundings, _ trainer: LaneTrainer,
        _ position: inout TrainingPosition
    ) throws -> ModelExchanger? {
        guard let exchange = stage.exchange, let transport = around.exchange else { return nil }
        let former = position.exchange.map { TrainerID(name: exchange.trainer, life: $0.life) }
        let life = UInt64.random(in: 1...UInt64.max)
        guard ModelContribution.byteCount(trainer.options) <= UInt32.max else {
            throw PipelineError(.usage, "a model of more than 4 GiB cannot be exchanged")
        }
        let stop = around.stop
        let ledger = try ModelExchanger.survey(
            transport, trainer.options, settings: settings(trainer, position),
            trainer: TrainerID(name: exchange.trainer, life: life), isStopped: { stop.isSet })
        guard let ledger, let average = ledger.average else {
            throw PipelineError(.interrupted, "stopped while the exchange topic was read")
        }
        trainer.begin(with: average, former: former)
        position.exchange = ExchangePosition(
            topicID: transport.identity, life: life, begun: ledger.begun, round: ledger.round,
            next: ledger.next, awaited: ledger.awaited.sorted())
        return try ModelExchanger(
            transport, ledger, roundMilliseconds: exchange.roundMilliseconds)
    }

    /// Goes on where a checkpoint says; where the topic has lost what comes next, with the newest
    /// average that is left.
    static func goOnExchanging(
        _ stage: TrainStage, _ around: Surroundings, _ trainer: LaneTrainer,
        _ position: inout TrainingPosition
    ) throws -> ModelExchanger? {
        guard let exchange = stage.exchange, let transport = around.exchange else { return nil }
        guard let place = position.exchange, place.topicID == transport.identity else {
            throw PipelineError(
                .usage,
                "model '\(stage.model)' was being trained with an exchange through another topic "
                    + "than '\(transport.name)'",
                advice: "Use another data directory, or remove the checkpoint to train anew.",
                file: around.checkpointPath)
        }
        let (start, end) = (try transport.start(), try transport.end())
        guard place.next <= end else {
            throw PipelineError(
                .badData,
                "exchange topic '\(transport.name)' ends at offset \(end), and the checkpoint knows "
                    + "what was before offset \(place.next)",
                advice: "It is not the topic that it was: remove the checkpoint to train anew.",
                file: around.checkpointPath)
        }
        guard place.next >= start else {
            around.logger.warning(
                """
                \(around.status.name): exchange topic '\(transport.name)' has lost offsets \
                \(place.next) to \(start - 1); training goes on with the newest average, without \
                the \(trainer.newRows) rows learnt since the last one
                """, metadata: ["exchange": "\(transport.name)", "rows": "\(trainer.newRows)"])
            return try newExchanger(stage, around, trainer, &position)
        }
        let ledger = ExchangeLedger(
            trainer.options, settings: settings(trainer, position),
            trainer: TrainerID(name: exchange.trainer, life: place.life), begun: place.begun,
            from: ExchangeLedger.Start(
                round: place.round, next: place.next, average: trainer.average,
                awaited: Set(place.awaited), isOurs: true))
        return try ModelExchanger(
            transport, ledger, roundMilliseconds: exchange.roundMilliseconds)
    }

    private static func settings(_ trainer: LaneTrainer, _ position: TrainingPosition) -> UInt64 {
        ExchangeLedger.settings(trainer.options, specification: position.specification)
    }

    /// Says that others are to wait for this trainer.
    func join() throws {
        try exchanger?.join()
        isAwaited = exchanger != nil
    }

    // MARK: Averages

    /// Exchanges when enough has been learnt; false when the run was stopped meanwhile.
    func exchangeIfDue(durably: Bool) throws -> Bool {
        guard let every = stage.exchange?.everyRows, trainer.newRows >= every else { return true }
        return try exchange(durably: durably)
    }

    /// Exchanges what was learnt since the last average; false when the run was stopped meanwhile.
    ///
    /// What a stopped run has not finished the next one does, from the last checkpoint on.
    ///
    /// - Parameter durably: Whether decisions that the rows follow from have to be saved before.
    func exchange(durably: Bool) throws -> Bool {
        guard let exchanger, trainer.newRows > 0 else { return true }
        if durably {
            try reachPoint(publish: false)
            try collect(waiting: true)
        }
        guard try exchanger.exchange(trainer, isStopped: { stop.isSet }) else { return false }
        let ledger = exchanger.ledger
        position.exchange?.round = ledger.round
        position.exchange?.next = ledger.next
        position.exchange?.awaited = ledger.awaited.sorted()
        if let average = ledger.average {
            logger.debug(
                "\(status.name): round \(ledger.round), \(average.rows) rows of all trainers",
                metadata: ["round": "\(ledger.round)", "rows": "\(average.rows)"])
        }
        return true
    }

    /// Whether the model, as it is now, may be published: where trainers exchange, averages only.
    var hasAverage: Bool { exchanger == nil || trainer.newRows == 0 }

    /// What tells the version that is due from all others: one of an average is the same whoever
    /// publishes it.
    var publicationKey: String {
        guard let place = position.exchange else {
            return "\(position.trainingID)/\(trainer.rowsSeen)"
        }
        return Self.publicationKeys(place) + "\(place.round)"
    }

    /// What keys of versions of a topic's averages begin with, before the round.
    private static func publicationKeys(_ place: ExchangePosition) -> String {
        "exchange/\(String(place.topicID, radix: 16))/"
    }

    /// How a version stands to the average of a round, by its key: versions are in the order of
    /// their rounds, whichever trainer is slow to publish.
    func standing(to place: ExchangePosition) -> (_ key: String) -> ModelRepository.Standing {
        let keys = Self.publicationKeys(place)
        return { key in
            guard key.hasPrefix(keys), let round = Int(key.dropFirst(keys.count)) else {
                return .isUnrelated
            }
            return round >= place.round ? .replaces : .precedes
        }
    }

    // MARK: The end

    /// Says that nobody has to wait for this trainer any more.
    func leave() throws {
        guard let exchanger, isAwaited else { return }
        isAwaited = false
        try exchanger.leave()
        let (closed, named) = exchanger.rounds
        guard closed > 0 else { return }
        logger.notice(
            """
            \(status.name): took part in \(named) rounds, missed \(closed - named), waited \
            \(exchanger.waitedNanoseconds / 1_000_000) ms
            """,
            metadata: [
                "rounds": "\(named)", "missed": "\(closed - named)",
                "waited_ms": "\(exchanger.waitedNanoseconds / 1_000_000)",
                "ignored": "\(exchanger.ledger.ignored)",
            ])
        guard exchanger.ledger.ignored > 0 else { return }
        logger.warning(
            """
            \(status.name): \(exchanger.ledger.ignored) records of the exchange topic were damaged \
            or of another training, and left out
            """, metadata: ["ignored": "\(exchanger.ledger.ignored)"])
    }

    /// The same for a run that is stopped: who is not told waits for one round's time.
    func leaveStopped() {
        do { try leave() } catch {
            logger.warning(
                "\(status.name): others wait for this trainer once more: \(error)",
                metadata: ["error": "\(error)"])
        }
    }
}
