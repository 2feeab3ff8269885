import MillraceModels
import MillraceSystem
import Testing

@testable import MillracePipeline

/// The time of a simulation, in nanoseconds.
final class SimulatedClock {
    var now: Int64 = 0
}

/// A topic of a simulation: records in the order in which they were appended.
final class SimulatedTopic {
    private(set) var records: [(bytes: [UInt8], time: Int64)] = []
    private let clock: SimulatedClock

    init(_ clock: SimulatedClock) { self.clock = clock }

    func append(_ bytes: [UInt8]) { records.append((bytes, clock.now)) }
    var now: Int64 { clock.now }
    func passTime() { clock.now += 1_000_000 }
}

/// One trainer's view of a simulated topic: records come some time after they were appended.
final class SimulatedTransport: ExchangeTransport {
    let name = "simulated"
    let identity: UInt64 = 1
    private let topic: SimulatedTopic
    private let isReadOnly: Bool
    private var random: SplitMix64
    private var visibleFrom: Int64 = 0
    private(set) var position: UInt64 = 0

    init(_ topic: SimulatedTopic, seed: UInt64, isReadOnly: Bool = false) {
        self.topic = topic
        self.isReadOnly = isReadOnly
        random = SplitMix64(seed: seed)
    }

    func start() -> UInt64 { 0 }
    func end() -> UInt64 { UInt64(topic.records.count) }
    func seek(to offset: UInt64) { position = offset }
    func flush() {}
    func close() {}
    func rest() { topic.passTime() }

    func next() -> (offset: UInt64, bytes: [UInt8])? {
        guard position < end() else { return nil }
        let record = topic.records[Int(position)]
        visibleFrom = max(visibleFrom, record.time + Int64(random.next() % 3_000_000))
        guard topic.now >= visibleFrom || isReadOnly else { return nil }
        position += 1
        return (position - 1, record.bytes)
    }

    func append(_ records: [[UInt8]]) throws {
        try #require(!isReadOnly, "a replay finds everything that it would write")
        for record in records { topic.append(record) }
    }
}

/// Records that are there, from an offset on, and nobody adds to.
final class FixedTransport: ExchangeTransport {
    let name = "fixed"
    let identity: UInt64 = 1
    private let records: [[UInt8]]
    private let first: UInt64
    private(set) var position: UInt64 = 0

    init(_ records: [[UInt8]], first: UInt64) {
        self.records = records
        self.first = min(first, UInt64(records.count))
    }

    func start() -> UInt64 { first }
    func end() -> UInt64 { UInt64(records.count) }
    func seek(to offset: UInt64) { position = offset }
    func append(_ records: [[UInt8]]) {}
    func flush() {}
    func rest() {}
    func close() {}

    func next() -> (offset: UInt64, bytes: [UInt8])? {
        guard position < end() else { return nil }
        position += 1
        return (position - 1, records[Int(position - 1)])
    }
}

/// One trainer of a simulation: learns rows that follow from its number and theirs, exchanges, is
/// killed and goes on from what it saved last.
final class SimulatedTrainer {
    static let stepRows = 16
    static let roundMilliseconds = 40

    let id: TrainerID
    let allRows: Int
    private let everyRows: Int
    let options: TrainingOptions
    private(set) var trainer: LaneTrainer
    private(set) var exchanger: ModelExchanger?
    private(set) var isExchanging = false
    private(set) var hasLeft = false
    private(set) var saved: [Saved] = []
    private var isReplay = false
    /// When the trainer began to wait for others in the exchange that it is in.
    private var waitingSince: Int64?
    private(set) var longestWait: Int64 = 0

    /// What is durable of a trainer.
    struct Saved {
        var trainer: [UInt8]
        var start: ExchangeLedger.Start
        var begun: UInt64
    }

    init(
        _ name: String, life: UInt64, rows: Int, every: Int, _ options: TrainingOptions
    ) throws {
        id = TrainerID(name: name, life: life)
        allRows = rows
        everyRows = every
        self.options = options
        trainer = try LaneTrainer(options, lanes: 1)
    }

    static let settings: UInt64 = 77

    /// The same from its beginning.
    func again() throws -> SimulatedTrainer {
        try SimulatedTrainer(id.name, life: id.life, rows: allRows, every: everyRows, options)
    }

    /// Begins anew, or goes on from a state that was saved; a replay says nothing.
    func begin(
        _ transport: any ExchangeTransport, from state: Saved?, isReplay: Bool = false
    ) throws {
        self.isReplay = isReplay
        if let state {
            trainer = try LaneTrainer(
                checkpoint: state.trainer, options, lanes: 1, exchanges: true)
            var start = state.start
            start.average = trainer.average
            exchanger = try ModelExchanger(
                transport,
                ExchangeLedger(
                    options, settings: Self.settings, trainer: id, begun: state.begun, from: start),
                roundMilliseconds: Self.roundMilliseconds)
        } else {
            trainer = try LaneTrainer(options, lanes: 1)
            let ledger = try #require(
                try ModelExchanger.survey(
                    transport, options, settings: Self.settings, trainer: id, isStopped: { false }))
            trainer.begin(with: try #require(ledger.average), former: nil)
            exchanger = try ModelExchanger(
                transport, ledger, roundMilliseconds: Self.roundMilliseconds)
            save()
        }
        isExchanging = false
        waitingSince = nil
        if !isReplay { try exchanger?.join() }
    }

    func save() {
        guard let ledger = exchanger?.ledger else { return }
        saved.append(
            Saved(
                trainer: trainer.checkpoint(),
                start: ExchangeLedger.Start(
                    round: ledger.round, next: ledger.next, awaited: ledger.awaited,
                    isOurs: ledger.isOurs),
                begun: ledger.begun))
    }

    func die() { exchanger = nil }

    /// Takes the next step; returns how long it takes.
    func step(now: Int64, learning: Int64) throws -> Int64 {
        guard let exchanger else { return learning }
        guard isExchanging else {
            guard trainer.rowsSeen < allRows || trainer.newRows > 0 else {
                try leave(exchanger)
                return 0
            }
            try learn(on: trainer)
            if trainer.newRows >= everyRows || trainer.rowsSeen == allRows {
                isExchanging = true
                try exchanger.begin()
            }
            return learning
        }
        switch try exchanger.step(trainer, now: now) {
        case .isDone:
            if let since = waitingSince { longestWait = max(longestWait, now - since) }
            waitingSince = nil
            isExchanging = false
            if trainer.rowsSeen == allRows { try leave(exchanger) }
            return 0
        case .hasWorked:
            if waitingSince == nil { waitingSince = now }
            return 0
        case .waits: return 1_000_000
        }
    }

    private func leave(_ exchanger: ModelExchanger) throws {
        if !isReplay { try exchanger.leave() }
        hasLeft = true
    }

    /// Has a trainer learn the rows that come next.
    func learn(on trainer: LaneTrainer) throws {
        var random = SplitMix64(seed: id.life << 32 | UInt64(trainer.rowsSeen))
        let count = min(Self.stepRows, allRows - trainer.rowsSeen)
        var features: [Float] = []
        var labels: [Float] = []
        for _ in 0..<count {
            let row = (0..<options.features).map { _ in Float(random.unit() * 4 - 2) }
            features += row
            labels.append(row[0] > 0.3 * row[1] ? 1 : 0)
        }
        trainer.contribute(
            LabelledRows(
                features.span, rows: count, stride: options.features, labels: labels.span), to: 0)
        _ = try trainer.combine()
    }
}
