import FoundationEssentials
import Glibc
import Millrace
import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// Trainers in two processes that exchange through a topic, and are killed and stopped.
@Suite(.serialized) struct ExchangeKillTests {
    private static let width = 6
    private static let rows = 128 * 48

    /// `MILLRACE_EXCHANGE_KILLS` sets how many sequences of kills there are.
    private static let sequences = Environment.number("MILLRACE_EXCHANGE_KILLS", or: 4)

    private static let trainers = [(name: "a", partitions: "0"), (name: "b", partitions: "1")]

    private static func command(
        _ data: String, _ trainer: (name: String, partitions: String), round: String = "0.4"
    ) -> [String] {
        [
            "train", "rows", "--model", "m", "--data", data, "--json", "--mlp", "12",
            "--classes", "2", "--publish-every", "1500", "--partitions", trainer.partitions,
            "--exchange", "averages", "--trainer", trainer.name, "--exchange-rows", "512",
            "--round-time", round,
        ]
    }

    private static func append(to data: String) throws {
        try LabelledRows.append(0..<rows, width: width, to: data)
    }

    private static func checkpoint(_ data: String, _ name: String) -> String {
        "\(data)/groups/train-m-\(name)/checkpoint"
    }

    /// What the topic says in the end, checked against what was published and saved.
    private static func check(_ data: String, _ about: String) throws {
        var options = TrainingOptions(.logistic, features: width)
        options.hidden = [12]
        let transport = LogExchange(try DataDirectory(data, create: false).topic("averages"))
        try transport.seek(to: 0)
        var ledger = ExchangeLedger(
            options, settings: ExchangeLedger.settings(options, specification: 0),
            trainer: TrainerID(name: "observer", life: 1), begun: 0,
            from: ExchangeLedger.Start(average: SharedModel(options)))
        var averages: [Int: SharedModel] = [:]
        while let record = try transport.next() {
            guard try ledger.take(record.bytes, at: record.offset) != nil else { continue }
            averages[ledger.round] = ledger.average
        }
        #expect(ledger.ignored == 0)
        // All rows of both, each once.
        let last = try #require(averages[ledger.round])
        #expect(last.shares.map(\.rows) == [rows, rows], "\(about)")
        let repository = ModelRepository(path: data + "/models")
        var rounds: Set<Int> = []
        for version in try repository.versions(of: "m").sorted() {
            let loaded = try repository.load("m", version: version)
            let round = try #require(
                loaded.manifest.publication.key.split(separator: "/").last.flatMap { Int($0) })
            #expect(round > rounds.max() ?? 0, "\(about): version \(version), round \(round)")
            rounds.insert(round)
            let average = try #require(averages[round])
            #expect(try loaded.model == average.model(labels: ["0", "1"]), "\(about)")
        }
        #expect(rounds.count >= 4 && rounds.contains(ledger.round), "\(about): \(rounds)")
        for trainer in trainers {
            let content = try #require(try TrainingCheckpoint.load(checkpoint(data, trainer.name)))
            let saved = try LaneTrainer(
                checkpoint: content.trainer, options, lanes: 1, exchanges: true)
            #expect(content.position.isFinished && saved.newRows == 0, "\(about)")
            let round = try #require(content.position.exchange?.round)
            #expect(saved.average?.encoded() == averages[round]?.encoded(), "\(about)")
        }
    }

    /// Nanoseconds that both take when nobody is killed.
    private static func undisturbed() throws -> Int64 {
        let directory = try TemporaryDirectory("millrace-exchange-whole")
        try append(to: directory.path)
        let begun = Clock.monotonicNanoseconds()
        let processes = try trainers.map { try ToolProcess(command(directory.path, $0)) }
        for process in processes {
            let outcome = try process.outcome()
            try #require(outcome.code == 0, "\(outcome.errors)")
        }
        return Clock.monotonicNanoseconds() - begun
    }

    /// Both are killed again and again, and go on; in the end every row is in the averages once, and
    /// whoever goes on from an old checkpoint comes to the same bits.
    @Test func killedTrainersAgree() throws {
        let first = UInt64.random(in: 0...UInt64.max)
        // The longest wait before a kill: it follows what else runs here, which comes and goes.
        var wait = try Self.undisturbed()
        print("exchange kills: first seed \(first), undisturbed \(wait / 1_000_000) ms")
        var kills = 0
        for sequence in 0..<Self.sequences {
            let seed = first &+ UInt64(sequence)
            var random = SplitMix64(seed: seed)
            let directory = try TemporaryDirectory("millrace-exchange-kill")
            try Self.append(to: directory.path)
            var processes = try Self.trainers.map {
                try ToolProcess(Self.command(directory.path, $0))
            }
            var old: [[UInt8]?] = [nil, nil]
            for _ in 0..<4 {
                PinnedThread.sleep(nanoseconds: Int64(random.unit() * Double(wait)))
                let index = Int(random.next() % 2)
                processes[index].send(SIGKILL)
                if try processes[index].outcome().signal == SIGKILL {
                    kills += 1
                    wait += wait / 4
                } else {
                    wait /= 2
                }
                let path = Self.checkpoint(directory.path, Self.trainers[index].name)
                if old[index] == nil, try Files.isThere(path) {
                    old[index] = try Files.read(path, maxBytes: 1 << 24)
                }
                processes[index] = try ToolProcess(
                    Self.command(directory.path, Self.trainers[index]))
            }
            for process in processes {
                let outcome = try process.outcome()
                try #require(outcome.code == 0, "\(outcome.errors) seed \(seed)")
            }
            try Self.check(directory.path, "seed \(seed)")
            for (trainer, bytes) in zip(Self.trainers, old) {
                guard let bytes else { continue }
                let path = Self.checkpoint(directory.path, trainer.name)
                let state = try TrainingCheckpoint.load(path)?.trainer
                try Files.writeDurably(path, bytes)
                let outcome = try ToolProcess.run(Self.command(directory.path, trainer))
                try #require(outcome.code == 0, "\(outcome.errors) seed \(seed)")
                #expect(try TrainingCheckpoint.load(path)?.trainer == state, "seed \(seed)")
                try Self.check(directory.path, "again, seed \(seed)")
            }
        }
        print("exchange kills: \(kills) processes killed at work")
        #expect(kills >= Self.sequences, "most were at their end before they were killed")
    }

    /// One is stopped for longer than a round; the other goes on to its end meanwhile.
    @Test func nobodyWaitsForWhoIsStopped() throws {
        let directory = try TemporaryDirectory("millrace-exchange-stop")
        try Self.append(to: directory.path)
        let stopped = try ToolProcess(Self.command(directory.path, Self.trainers[0]))
        let deadline = Clock.monotonicNanoseconds() + 60_000_000_000
        let path = Self.checkpoint(directory.path, "a")
        while try !Files.isThere(path), Clock.monotonicNanoseconds() < deadline {
            PinnedThread.sleep(nanoseconds: 2_000_000)
        }
        stopped.send(SIGSTOP)
        let other = try ToolProcess.run(Self.command(directory.path, Self.trainers[1]))
        #expect(other.code == 0, "\(other.errors)")
        stopped.send(SIGCONT)
        let outcome = try stopped.outcome()
        #expect(outcome.code == 0, "\(outcome.errors)")
        try Self.check(directory.path, "stopped")
    }

    /// A trainer that waits for another ends soon when it is asked to, and goes on later.
    @Test func whoWaitsCanBeInterrupted() throws {
        let directory = try TemporaryDirectory("millrace-exchange-interrupt")
        try Self.append(to: directory.path)
        var options = TrainingOptions(.logistic, features: Self.width)
        options.hidden = [12]
        // Somebody says that it is there, and nothing else.
        let absent = LogExchange(
            try DataDirectory(directory.path, create: false).topic(
                "averages",
                creating: LogExchange.configuration(
                    contribution: ModelContribution.byteCount(options))))
        try absent.append(
            ExchangeRecord.records(
                .join, [], of: TrainerID(name: "absent", life: 1),
                settings: ExchangeLedger.settings(options, specification: 0)))
        try absent.close()
        let process = try ToolProcess(
            Self.command(directory.path, Self.trainers[0], round: "60"))
        PinnedThread.sleep(nanoseconds: 3_000_000_000)
        let begun = Clock.monotonicNanoseconds()
        process.send(SIGINT)
        let outcome = try process.outcome()
        #expect(Clock.monotonicNanoseconds() - begun < 20_000_000_000)
        #expect(outcome.code == 130 || outcome.code == 0, "\(outcome.errors)")
        for trainer in Self.trainers {
            let outcome = try ToolProcess.run(Self.command(directory.path, trainer))
            #expect(outcome.code == 0, "\(outcome.errors)")
        }
        try Self.check(directory.path, "interrupted")
    }

    @Test func badArgumentsAreErrors() throws {
        let directory = try TemporaryDirectory("millrace-exchange-bad")
        try Self.append(to: directory.path)
        let plain = [
            "train", "rows", "--data", directory.path, "--model", "m", "--linear", "logistic",
        ]
        for (arguments, said) in [
            (["--trainer", "a"], "--trainer goes with --exchange"),
            (["--exchange", "x"], "--exchange needs --trainer"),
            (["--exchange", "x", "--trainer", "a", "--round-time", "61"], "--round-time"),
            (["--exchange", "x", "--trainer", "a", "--exchange-rows", "0"], "--exchange-rows"),
            (["--exchange", "x", "--trainer", "a/b"], "a/b"),
            (["--exchange", "rows", "--trainer", "a"], "something else"),
            (["--exchange", "kafka://", "--trainer", "a"], "kafka"),
            (["--partitions", "0,0"], "--partitions"),
            (["--partitions", "0,x"], "--partitions"),
            (["--partitions", "2"], "partition 2"),
        ] {
            let outcome = try ToolProcess.run(plain + arguments)
            #expect(
                outcome.code == 64 && outcome.errors.contains(said),
                "\(arguments): \(outcome.code ?? -1) \(outcome.errors)")
        }
        // A topic that holds something else.
        _ = try DataDirectory(directory.path, create: false).topic(
            "other",
            creating: TopicConfiguration(kind: .features, features: 2))
        let outcome = try ToolProcess.run(plain + ["--exchange", "other", "--trainer", "a"])
        #expect(outcome.code != 0 && outcome.errors.contains("other"), "\(outcome.errors)")
    }
}
