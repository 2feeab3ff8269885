internal import MillraceModels
internal import MillraceSystem

/// What the records of an exchange topic say, taken in their order.
///
/// Rounds are closed one after the other: of the closes of a round the first counts whose
/// contributions stand before it, and its average is what all trainers go on with. It is a function
/// of the records alone, so that all who read them, whenever, have the same bits.
///
/// Records that are damaged or of another training are counted and left out, and so is what comes for
/// a round that is closed.
struct ExchangeLedger {
    /// What a record has brought about: a round was closed, with or without the trainer itself.
    struct Closing: Equatable {
        var isOurs: Bool
    }

    let options: TrainingOptions
    let settings: UInt64
    /// The trainer itself.
    let trainer: TrainerID
    /// Where the trainer's life began: others of its name from here on are an error.
    let begun: UInt64
    /// The average of the newest closed round, of round 0 what all begin with; nil while records that
    /// it follows from are gone.
    private(set) var average: SharedModel?
    /// The newest closed round.
    private(set) var round: Int
    /// The offset behind the close of that round.
    private(set) var next: UInt64
    /// Trainers that a round is not closed without before its time is up.
    private(set) var awaited: Set<String>
    /// Records that were left out.
    private(set) var ignored = 0
    /// The round of the contributions, where `average` is not known.
    private var collected = 0
    /// Contributions to the open round, in the order in which they came.
    private var contributions: [(trainer: TrainerID, contribution: ModelContribution)] = []
    /// Whether a record of these settings was seen: only then others may be left out.
    private(set) var isOurs: Bool
    private var assembly: MessageAssembly
    private let contributionBytes: Int

    /// Where a ledger begins.
    struct Start {
        var round = 0
        var next: UInt64 = 0
        var average: SharedModel?
        var awaited: Set<String> = []
        /// Whether the topic is known to be one of these settings.
        var isOurs = false
    }

    /// - Parameters:
    ///   - settings: What trainers must have in common: `settings(_:_:)`.
    ///   - begun: The offset from which on nobody else may have the trainer's name.
    init(
        _ options: TrainingOptions, settings: UInt64, trainer: TrainerID, begun: UInt64,
        from start: Start
    ) {
        self.options = options
        self.settings = settings
        self.trainer = trainer
        self.begun = begun
        round = start.round
        next = start.next
        average = start.average
        awaited = start.awaited
        isOurs = start.isOurs
        contributionBytes = ModelContribution.byteCount(options)
        assembly = MessageAssembly(mostBytes: max(64 << 20, 64 * contributionBytes))
    }

    /// What tells trainings apart: the options, and the specification of the features.
    static func settings(_ options: TrainingOptions, specification: UInt32) -> UInt64 {
        UInt64(options.checksum) << 32 | UInt64(specification)
    }

    // MARK: Records

    /// Takes the record at an offset; says so when it has closed a round.
    ///
    /// - Throws: `usage` when the topic is that of another training, or another process has the
    ///   trainer's name; `badData` when what the trainer itself has written is no model.
    mutating func take(
        _ bytes: [UInt8], at offset: UInt64
    ) throws(PipelineError) -> Closing? {
        let record: ExchangeRecord
        do throws(ExchangeRecord.Fault) { record = try ExchangeRecord(bytes) } catch {
            ignored += 1
            return nil
        }
        guard record.settings == settings else {
            guard isOurs else { throw Self.otherTraining }
            ignored += 1
            return nil
        }
        isOurs = true
        let sender = record.message.trainer
        if sender.name == trainer.name, sender.life != trainer.life, offset >= begun {
            throw namesake
        }
        guard isPossible(record.message) else {
            ignored += 1
            return nil
        }
        guard let message = assembly.take(record) else { return nil }
        switch record.message.kind {
        case .join: awaited.insert(sender.name)
        case .leave: awaited.remove(sender.name)
        case .contribution:
            try contribute(message, to: Int(record.message.round), sender)
        case .close:
            return close(message, round: Int(record.message.round), at: offset)
        }
        return nil
    }

    private func isPossible(_ message: ExchangeRecord.Message) -> Bool {
        guard message.round <= 1 << 60 else { return false }
        return switch message.kind {
        case .join, .leave: message.bytes == 0
        case .contribution: message.bytes == contributionBytes
        case .close: message.bytes <= TrainerShare.maxTrainers * (600 + contributionBytes)
        }
    }

    private static let otherTraining = PipelineError(
        .usage, "the exchange topic is that of a training with other settings or features",
        advice: "Trainers that exchange have the same settings; give this one another topic.")

    private var namesake: PipelineError {
        PipelineError(
            .usage, "another process exchanges as trainer '\(trainer.name)' by now",
            advice: "Give each trainer a name of its own.")
    }

    private mutating func contribute(
        _ bytes: [UInt8], to round: Int, _ sender: TrainerID
    ) throws(PipelineError) {
        // Whoever comes late is about to come again.
        awaited.insert(sender.name)
        if average != nil {
            guard round == self.round + 1 else { return }
        } else if round > collected {
            contributions = []
            collected = round
        } else if round < collected {
            return
        }
        guard !contributions.contains(where: { $0.trainer == sender }) else { return }
        do throws(ModelError) {
            contributions.append((sender, try ModelContribution(bytes, options)))
        } catch {
            guard sender != trainer else {
                throw PipelineError(.badData, "what was learnt is no model: \(error.description)")
            }
            ignored += 1
        }
    }

    private mutating func close(_ bytes: [UInt8], round: Int, at offset: UInt64) -> Closing? {
        guard round == (average == nil ? collected : self.round + 1), round > 0 else { return nil }
        guard let close = CloseMessage(bytes), let others = shares(close) else {
            ignored += 1
            return nil
        }
        var named: [(trainer: TrainerID, contribution: ModelContribution)] = []
        for trainer in close.trainers {
            guard let found = contributions.first(where: { $0.trainer == trainer }) else {
                ignored += 1
                return nil
            }
            named.append(found)
        }
        average = SharedModel(averaging: named, others: others)
        self.round = round
        next = offset + 1
        contributions = []
        awaited = Set(close.trainers.map(\.name))
        return Closing(isOurs: close.trainers.contains(trainer))
    }

    /// The shares of those whom a close does not name.
    private func shares(_ close: CloseMessage) -> [TrainerShare]? {
        do throws(ModelError) {
            let shares = try TrainerShare.decode(close.others, options)
            let names = Set(close.trainers.map(\.name))
            return shares.contains { names.contains($0.trainer.name) } ? nil : shares
        } catch { return nil }
    }

    // MARK: The open round

    /// Whether the trainer's own contribution to the open round is there.
    var hasContributed: Bool { contributions.contains { $0.trainer == trainer } }

    /// Whether all others who are awaited have contributed to the open round.
    var isComplete: Bool {
        let here = Set(contributions.map(\.trainer.name))
        return awaited.allSatisfy { here.contains($0) || $0 == trainer.name }
    }

    /// What closes the open round with the contributions that are there: of each name the last.
    func closing() -> CloseMessage {
        var last: [String: TrainerID] = [:]
        for contribution in contributions {
            last[contribution.trainer.name] = contribution.trainer
        }
        let others = (average?.shares ?? []).filter { last[$0.trainer.name] == nil }
        return CloseMessage(
            trainers: last.values.sorted { $0.name < $1.name },
            others: TrainerShare.encoded(others))
    }
}
