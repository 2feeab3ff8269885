internal import MillraceModels
internal import MillraceSystem

/// One trainer's part in an exchange: brings what it has learnt, and takes averages over.
///
/// Everything but the time at which a round is closed follows from the order of the records, which
/// is the same for all: so a trainer that is killed, and learns the same rows again, finds what it
/// wrote before and decides as before.
///
/// **Thread-safety**: one owner.
final class ModelExchanger {
    private let transport: any ExchangeTransport
    private let roundNanoseconds: Int64
    private(set) var ledger: ExchangeLedger
    /// Up to where an exchange reads before it goes on: what was written before must be known.
    private var wantedEnd: UInt64?
    /// When the open round is closed at the latest; nil before the contribution is there.
    private var deadline: Int64?
    /// The round that the trainer itself has closed last.
    private var closedRound = 0
    /// The round that the trainer has contributed to last.
    private var writtenRound = 0
    /// Rounds that this trainer has seen being closed, and those with it.
    private(set) var rounds = (closed: 0, named: 0)
    /// How long exchanges have taken.
    private(set) var waitedNanoseconds: Int64 = 0

    /// Goes on where a ledger is.
    init(
        _ transport: any ExchangeTransport, _ ledger: ExchangeLedger, roundMilliseconds: Int
    ) throws {
        self.transport = transport
        self.ledger = ledger
        roundNanoseconds = Int64(roundMilliseconds) * 1_000_000
        try transport.seek(to: ledger.next)
    }

    /// Reads a topic from its front, and says where a trainer begins that is new to it: behind the
    /// newest round that was closed.
    ///
    /// `isStopped` is asked while records are waited for; nil when it says so.
    ///
    /// - Throws: as `ExchangeLedger.take` and the topic; `badData` when retention has removed the
    ///   newest average.
    static func survey(
        _ transport: any ExchangeTransport, _ options: TrainingOptions, settings: UInt64,
        trainer: TrainerID, isStopped: () -> Bool
    ) throws -> ExchangeLedger? {
        let (first, end) = (try transport.start(), try transport.end())
        var start = ExchangeLedger.Start(next: first)
        if first == 0 { start.average = SharedModel(options) }
        var ledger = ExchangeLedger(
            options, settings: settings, trainer: trainer, begun: end, from: start)
        try transport.seek(to: first)
        while transport.position < end {
            guard let record = try transport.next() else {
                if isStopped() { return nil }
                try transport.rest()
                continue
            }
            _ = try ledger.take(record.bytes, at: record.offset)
        }
        guard let average = ledger.average else {
            throw PipelineError(
                .badData,
                "exchange topic '\(transport.name)' begins at offset \(first), and no average can "
                    + "be made of what is left",
                advice: "Delete the topic, and the checkpoints of its trainers, to begin anew.")
        }
        return ExchangeLedger(
            options, settings: settings, trainer: trainer, begun: end,
            from: ExchangeLedger.Start(
                round: ledger.round, next: ledger.next, average: average,
                awaited: ledger.awaited, isOurs: ledger.isOurs))
    }

    private func append(_ kind: ExchangeRecord.Kind, round: Int = 0, _ bytes: [UInt8] = []) throws {
        guard bytes.count <= Int(UInt32.max) else {
            throw PipelineError(
                .usage, "\(bytes.count) bytes are too many for one message of an exchange",
                advice: "Use a smaller model, or fewer trainers.")
        }
        try transport.append(
            ExchangeRecord.records(
                kind, round: round, bytes, of: ledger.trainer, settings: ledger.settings))
    }

    /// Says that the trainer is there: others wait for its contribution to the open round.
    func join() throws { try append(.join) }

    /// Says that the trainer is done: nobody waits for it.
    func leave() throws { try append(.leave) }

    /// Lets go of the topic.
    func close() throws { try transport.close() }

    // MARK: An exchange

    /// What a step of an exchange has come to.
    enum Step { case isDone, hasWorked, waits }

    /// Begins an exchange of what a trainer has learnt; `step` goes on until it is done.
    func begin() throws {
        wantedEnd = try transport.end()
        deadline = nil
    }

    /// Does what can be done without waiting.
    ///
    /// In the end the trainer has taken part in the newest round that it knows of, with all of its
    /// rows. It waits at most the round time for others, however many rounds are closed meanwhile.
    func step(_ trainer: LaneTrainer, now: Int64) throws -> Step {
        while let record = try transport.next() {
            guard let closing = try ledger.take(record.bytes, at: record.offset),
                let average = ledger.average
            else { continue }
            rounds.closed += 1
            guard closing.isOurs else {
                trainer.move(to: average)
                continue
            }
            rounds.named += 1
            try check(average, trainer)
            // Whoever saves what follows from these records has them saved before.
            try transport.flush()
            trainer.adopt(average)
            return .isDone
        }
        guard transport.position >= wantedEnd ?? 0 else { return .waits }
        let open = ledger.round + 1
        guard ledger.hasContributed else {
            guard writtenRound < open else {
                throw PipelineError(
                    .badData,
                    "exchange topic '\(transport.name)' does not have what was written to it last",
                    advice: "Others write to it what no trainer does; use another topic.")
            }
            writtenRound = open
            try append(.contribution, round: open, trainer.contribution().encoded())
            wantedEnd = try transport.end()
            if deadline == nil { deadline = now + roundNanoseconds }
            return .hasWorked
        }
        let due = deadline ?? now + roundNanoseconds
        deadline = due
        guard closedRound < open, ledger.isComplete || now >= due else { return .waits }
        closedRound = open
        try append(.close, round: open, ledger.closing().encoded())
        return .hasWorked
    }

    /// Throws unless what the average has of the trainer is all that it has learnt.
    private func check(_ average: SharedModel, _ trainer: LaneTrainer) throws(PipelineError) {
        let share = average.shares.first { $0.trainer == ledger.trainer }
        guard share?.rows != trainer.rowsSeen else { return }
        throw PipelineError(
            .badData,
            "exchange topic '\(transport.name)' has what trainer '\(ledger.trainer.name)' had learnt "
                + "after \(share?.rows ?? 0) rows, and it has learnt \(trainer.rowsSeen)",
            advice: "Its rows are not those that they were; remove its checkpoint to begin anew.")
    }

    /// Exchanges what a trainer has learnt; false when it was stopped before that was done.
    func exchange(_ trainer: LaneTrainer, isStopped: () -> Bool) throws -> Bool {
        let since = Clock.monotonicNanoseconds()
        defer { waitedNanoseconds += Clock.monotonicNanoseconds() - since }
        do {
            try begin()
            while true {
                switch try step(trainer, now: Clock.monotonicNanoseconds()) {
                case .isDone: return true
                case .hasWorked: continue
                case .waits:
                    if isStopped() { return false }
                    try transport.rest()
                }
            }
        } catch {
            // Who is stopped does not wait for a topic that cannot be reached.
            if isStopped() { return false }
            throw error
        }
    }
}
