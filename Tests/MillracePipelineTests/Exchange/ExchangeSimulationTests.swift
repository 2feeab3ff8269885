import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// Trainers that exchange through a topic whose records come late, that are slow, are killed, go on,
/// and are lost: by seeds.
@Suite struct ExchangeSimulationTests {
    /// `MILLRACE_EXCHANGE_SEEDS` sets how many simulations there are, `MILLRACE_EXCHANGE_SEED` the
    /// first one's seed.
    private static let seeds = Environment.number("MILLRACE_EXCHANGE_SEEDS", or: 16)
    private static let first = Environment.number("MILLRACE_EXCHANGE_SEED", or: 1)

    private static func options(_ seed: UInt64) -> TrainingOptions {
        var options = TrainingOptions(.logistic, features: 2)
        switch seed % 5 {
        case 0: options.hidden = [3]
        case 1: options.optimizer = .momentum(rate: 0.05)
        case 2:
            options.optimizer = .sgd(rate: 0.05)
            options.mode = .sequential
            options.regularization.l1 = 1e-4
        case 3: options.optimizer = .ftrl()
        default: options.optimizer = .adagrad()
        }
        return options
    }

    @Test func trainersAgree() throws {
        print("exchange simulations: seeds \(Self.first) to \(Self.first + Self.seeds - 1)")
        var total = Simulation.Count()
        for seed in Self.first..<Self.first + Self.seeds {
            let seed = UInt64(seed)
            var simulation = try Simulation(seed: seed, Self.options(seed))
            try simulation.run()
            try simulation.check()
            total.rounds += simulation.count.rounds
            total.kills += simulation.count.kills
            total.missed += simulation.count.missed
        }
        print("exchange simulations: \(total)")
        #expect(total.kills > Self.seeds && total.missed > 0)
    }

    /// Whatever becomes of the records, and under whatever checksums, nothing traps, and what is
    /// taken for an average is one.
    @Test func nothingTraps() throws {
        let first = UInt64.random(in: 0...UInt64.max)
        print("exchange damage: first seed \(first)")
        let options = Self.options(0)
        var simulation = try Simulation(seed: 5, options, kills: 2)
        try simulation.run()
        for seed in first..<first &+ 60 {
            var random = SplitMix64(seed: seed)
            var records = simulation.records
            for _ in 0..<1 + random.next() % 12 {
                Self.damage(&records, &random)
            }
            let transport = FixedTransport(records, first: random.next() % 3 == 0 ? 9 : 0)
            do {
                let ledger = try ModelExchanger.survey(
                    transport, options, settings: SimulatedTrainer.settings,
                    trainer: TrainerID(name: "new", life: 1), isStopped: { false })
                let average = try #require(ledger?.average)
                #expect(average.rows >= 0 && average.steps >= 0, "seed \(seed)")
            } catch let error as PipelineError {
                #expect(error.code == .badData || error.code == .usage, "seed \(seed)")
            }
        }
    }

    /// Changes, repeats, moves or leaves out one record.
    private static func damage(_ records: inout [[UInt8]], _ random: inout SplitMix64) {
        let index = Int(random.next() % UInt64(records.count))
        switch random.next() % 6 {
        case 0: records.remove(at: index)
        case 1: records.insert(records[index], at: Int(random.next() % UInt64(records.count)))
        case 2: records.swapAt(index, Int(random.next() % UInt64(records.count)))
        case 3: records[index].removeLast(Int(random.next() % UInt64(records[index].count + 1)))
        default:
            // A byte of the message, with checksums that are right.
            guard let record = try? ExchangeRecord(records[index]), !record.piece.isEmpty
            else {
                records[index] = []
                return
            }
            var piece = record.piece
            let place = Int(random.next() % UInt64(piece.count))
            let byte = UInt8(truncatingIfNeeded: random.next())
            piece[place] = random.next() % 2 == 0 ? 0xFF : byte
            records[index] =
                ExchangeRecord.records(
                    record.message.kind, round: Int(record.message.round), piece,
                    of: record.message.trainer, settings: record.settings)[0]
        }
    }

    /// One trainer that nobody else is with has what a trainer has that does not exchange.
    @Test func aloneItIsAsIfItDidNotExchange() throws {
        var options = TrainingOptions(.logistic, features: 2)
        options.scaledFeatures = [false, false]
        options.imputation = [.constant(0), .constant(0)]
        var simulation = try Simulation(seed: 4, options, trainers: 1, kills: 0)
        try simulation.run()
        let one = simulation.trainers[0]
        let plain = try LaneTrainer(options, lanes: 1)
        while plain.rowsSeen < one.allRows { try one.learn(on: plain) }
        #expect(try plain.model() == one.trainer.model())
    }
}

/// Some trainers in simulated time.
struct Simulation {
    struct Count { var rounds = 0, kills = 0, missed = 0 }

    private let seed: UInt64
    private let clock = SimulatedClock()
    private let topic: SimulatedTopic
    let trainers: [SimulatedTrainer]
    private var random: SplitMix64
    private var due: [Int64]
    private var transports = 0
    private let kills: Int
    /// The trainer that is killed and does not come back; nil for none.
    private let lost: Int?
    /// The averages of rounds, as bytes.
    private var averages: [Int: [UInt8]] = [:]
    private(set) var count = Count()

    init(
        seed: UInt64, _ options: TrainingOptions, trainers number: Int? = nil, kills: Int = 6
    ) throws {
        self.seed = seed
        self.kills = kills
        topic = SimulatedTopic(clock)
        var random = SplitMix64(seed: seed)
        let number = number ?? 2 + Int(random.next() % 3)
        trainers = try (0..<number).map {
            try SimulatedTrainer(
                "t\($0)", life: seed << 8 | UInt64($0), rows: 300 + Int(random.next() % 900),
                every: 48 << Int(random.next() % 3), options)
        }
        due = trainers.map { _ in Int64(random.next() % 60_000_000) }
        lost = number > 1 && random.next() % 3 == 0 ? number - 1 : nil
        self.random = random
    }

    private mutating func transport() -> SimulatedTransport {
        transports += 1
        return SimulatedTransport(topic, seed: seed << 16 | UInt64(transports))
    }

    /// All records of the topic.
    var records: [[UInt8]] { topic.records.map(\.bytes) }

    private func isOver(_ index: Int) -> Bool { trainers[index].hasLeft }

    mutating func run() throws {
        var steps = 0
        var isLost = false
        while let index = trainers.indices
            .filter({ !isOver($0) && !($0 == lost && isLost) })
            .min(by: { due[$0] < due[$1] })
        {
            steps += 1
            try #require(steps < 200_000, "seed \(seed): no end")
            clock.now = max(clock.now, due[index])
            let one = trainers[index]
            if one.exchanger == nil {
                try one.begin(transport(), from: one.saved.last)
            } else if count.kills < kills * trainers.count, random.next() % 60 == 0 {
                one.die()
                count.kills += 1
                due[index] = clock.now + Int64(random.next() % 200_000_000)
                if index == lost { isLost = true }
                continue
            }
            let before = one.exchanger?.rounds
            // Now and then a step takes several round times.
            let slow: UInt64 = random.next() % 40 == 0 ? 50 : 1
            let pause = try one.step(
                now: clock.now, learning: Int64(random.next() % 4_000_000 &* slow))
            try note(one, before)
            if !one.isExchanging, random.next() % 5 == 0 { one.save() }
            due[index] = clock.now + pause
        }
    }

    private mutating func note(
        _ one: SimulatedTrainer, _ before: (closed: Int, named: Int)?
    ) throws {
        guard let exchanger = one.exchanger, let before, let average = exchanger.ledger.average,
            exchanger.rounds.closed > before.closed
        else { return }
        count.rounds += 1
        count.missed +=
            exchanger.rounds.closed - before.closed - (exchanger.rounds.named - before.named)
        let bytes = average.encoded()
        let known = averages.updateValue(bytes, forKey: exchanger.ledger.round)
        #expect(known == nil || known == bytes, "seed \(seed), round \(exchanger.ledger.round)")
        // What is published, what training goes on with: the same.
        if !one.isExchanging {
            #expect(try one.trainer.model() == average.model(), "seed \(seed)")
        }
    }

    /// What must hold once all are done.
    func check() throws {
        let finished = trainers.filter(\.hasLeft)
        // All rows of those who finished are in the averages, each once.
        var learnt: [String: Int] = [:]
        let options = trainers[0].options
        var observer = ExchangeLedger(
            options, settings: SimulatedTrainer.settings,
            trainer: TrainerID(name: "observer", life: 0), begun: 0,
            from: ExchangeLedger.Start(average: SharedModel(options)))
        var open: [String: Int] = [:]
        for (offset, record) in topic.records.enumerated() {
            let message = try ExchangeRecord(record.bytes).message
            if message.kind == .contribution, Int(message.round) == observer.round + 1 {
                let piece = try ExchangeRecord(record.bytes).piece
                if open[message.trainer.name] == nil {
                    open[message.trainer.name] = try ModelContribution(piece, options).rows
                }
            }
            let closing = try observer.take(record.bytes, at: UInt64(offset))
            guard closing != nil else { continue }
            let piece = try ExchangeRecord(record.bytes).piece
            for trainer in try #require(CloseMessage(piece)).trainers {
                learnt[trainer.name, default: 0] += try #require(open[trainer.name])
            }
            open = [:]
            let bytes = try #require(observer.average).encoded()
            #expect(averages[observer.round] == nil || averages[observer.round] == bytes)
        }
        for one in finished {
            #expect(learnt[one.id.name] == one.allRows, "seed \(seed), \(one.id.name)")
            let shares = try #require(observer.average).shares
            #expect(shares.first { $0.trainer == one.id }?.rows == one.allRows)
            let most = Int64(SimulatedTrainer.roundMilliseconds + 20) * 1_000_000
            #expect(one.longestWait <= most, "seed \(seed): \(one.longestWait)")
            try replay(one)
        }
        #expect(observer.ignored == 0)
    }

    /// From any state that was saved, with the same records, a trainer ends with the same bits, and
    /// has nothing to write.
    private func replay(_ one: SimulatedTrainer) throws {
        let whole = one.trainer.checkpoint()
        for state in one.saved {
            let again = try one.again()
            try again.begin(
                SimulatedTransport(topic, seed: 1, isReadOnly: true), from: state, isReplay: true)
            while !again.hasLeft { _ = try again.step(now: 0, learning: 0) }
            #expect(again.trainer.checkpoint() == whole, "seed \(seed), \(one.id.name)")
        }
    }
}
