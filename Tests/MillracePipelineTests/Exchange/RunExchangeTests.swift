import Logging
import Millrace
import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// Train stages that exchange averages through a topic of the log.
@Suite(.serialized) struct RunExchangeTests {
    static let width = 4

    /// A data directory with a labelled topic of four partitions.
    struct Fixture {
        let directory: TemporaryDirectory
        let topic: Topic

        init(rows counts: [Int]) throws {
            directory = try TemporaryDirectory()
            topic = try DataDirectory(directory.path, create: true).topic(
                "rows",
                creating: TopicConfiguration(
                    partitions: counts.count, kind: .features, features: width, label: true))
            try append(counts)
        }

        func append(_ counts: [Int]) throws {
            for (partition, count) in counts.enumerated() where count > 0 {
                var writer = try topic.writer(partition: partition)
                let first = writer.nextOffset
                var builder = BatchBuilder(columns: width)
                for offset in first..<first + UInt64(count) {
                    var random = SplitMix64(seed: UInt64(partition) << 32 | offset)
                    let numbers = (0..<width).map { _ in Float(random.unit() * 4 - 2) }
                    do {
                        var row = builder.nextRow()
                        for i in 0..<width { row[i] = numbers[i] }
                    }
                    builder.commitRow(label: numbers[0] + 0.3 * numbers[1] > 0 ? 1 : 0)
                }
                try writer.append(&builder)
                try writer.close()
            }
        }

        func stage(
            _ trainer: String, _ partitions: [Int], every: Int = 256, round: Int = 20_000,
            _ change: (inout TrainStage) -> Void = { _ in }
        ) -> StageDefinition {
            var stage = TrainStage(
                from: "rows", model: "m", learner: LearnerDefinition(objective: .logistic),
                batchRows: 64, publishEveryRows: 512, checkpointEveryRows: 400)
            stage.partitions = partitions
            stage.exchange = ModelExchange(
                topic: .log("averages"), trainer: trainer, everyRows: every,
                roundMilliseconds: round)
            change(&stage)
            return StageDefinition(name: "learn-\(trainer)", work: .train(stage))
        }

        func run(_ stages: StageDefinition...) throws -> RunSummary {
            try run(stages)
        }

        func run(_ stages: [StageDefinition], cores: [Int]? = nil) throws -> RunSummary {
            let definition = PipelineDefinition(
                topics: [try .existing("rows", data: directory.path)], stages: stages)
            return try PipelineRun(
                definition,
                options: RunOptions(data: directory.path, cores: cores, sharesCores: true),
                logger: .silent
            ).run().summary
        }

        func checkpoint(_ trainer: String) throws -> TrainingCheckpoint.Content {
            try #require(
                try TrainingCheckpoint.load(
                    directory.path + "/groups/learn-\(trainer)/checkpoint"))
        }

        /// The versions that were published, by the round whose average they are.
        func versions() throws -> [Int: (model: Model, publication: Publication)] {
            let repository = ModelRepository(path: directory.path + "/models")
            var found: [Int: (model: Model, publication: Publication)] = [:]
            var last = 0
            for version in try repository.versions(of: "m").sorted() {
                let loaded = try repository.load("m", version: version)
                let parts = loaded.manifest.publication.key.split(separator: "/")
                try #require(parts.count == 3 && parts[0] == "exchange")
                let round = try #require(Int(parts[2]))
                #expect(round > last, "version \(version) is of round \(round) after \(last)")
                last = round
                found[round] = (loaded.model, loaded.manifest.publication)
            }
            return found
        }

        /// The averages of all rounds, as the records of the topic make them.
        func averages(_ options: TrainingOptions) throws -> [Int: SharedModel] {
            let transport = LogExchange(
                try DataDirectory(directory.path, create: false).topic("averages"))
            try transport.seek(to: 0)
            var ledger = ExchangeLedger(
                options, settings: ExchangeLedger.settings(options, specification: 0),
                trainer: TrainerID(name: "observer", life: 1), begun: 0,
                from: ExchangeLedger.Start(average: SharedModel(options)))
            var found: [Int: SharedModel] = [:]
            while let record = try transport.next() {
                if try ledger.take(record.bytes, at: record.offset) != nil {
                    found[ledger.round] = ledger.average
                }
            }
            #expect(ledger.ignored == 0)
            return found
        }
    }

    private static func options(_ stage: StageDefinition) throws -> TrainingOptions {
        guard case .train(let work) = stage.work else { throw Missing() }
        return try TrainingSetup(work, features: width, policies: nil).options
    }

    private struct Missing: Error {}

    /// Two trainers, each with a half of the partitions: what is published are the averages, each
    /// once, and the last one knows all rows.
    @Test func publishedVersionsAreAverages() throws {
        let fixture = try Fixture(rows: [700, 800, 900, 600])
        let stages = [fixture.stage("a", [0, 1]), fixture.stage("b", [3, 2])]
        let summary = try fixture.run(stages)
        #expect(summary.stages.map(\.rowsRead) == [1500, 1500])
        let averages = try fixture.averages(Self.options(stages[0]))
        let versions = try fixture.versions()
        #expect(versions.count >= 2)
        for (round, version) in versions {
            let average = try #require(averages[round])
            #expect(try version.model == average.model(labels: ["0", "1"]))
            #expect(version.publication.rows == average.rows)
        }
        let newest = try #require(averages.keys.max())
        let last = try #require(averages[newest])
        #expect(last.rows == 3000 && last.shares.map(\.trainer.name) == ["a", "b"])
        #expect(last.shares.map(\.rows) == [1500, 1500])
        // Partitions are what the topic calls them.
        for version in versions.values {
            let positions = version.publication.positions.map(\.partition)
            #expect(positions == [0, 1] || positions == [3, 2])
        }
        // Nothing new, nothing exchanged or published.
        _ = try fixture.run(stages)
        #expect(try fixture.versions().count == versions.count)
        #expect(try fixture.averages(Self.options(stages[0])).count == averages.count)
        // Rows that come later are learnt on top of the last average.
        try fixture.append([300, 0, 0, 300])
        _ = try fixture.run(stages)
        let later = try fixture.averages(Self.options(stages[0]))
        #expect(later.values.map(\.rows).max() == 3600)
    }

    struct Way: CustomTestStringConvertible, Sendable {
        var name: String
        var change: @Sendable (inout TrainStage) -> Void
        var testDescription: String { name }
    }

    static let ways = [
        Way(name: "reduce") { $0.learner.hidden = [8] },
        Way(name: "average") {
            $0.learner.hidden = [8]
            $0.optimizer = .momentum(rate: 0.05)
            $0.synchronization = .average(everyRows: 128)
        },
        Way(name: "row by row") {
            $0.optimizer = .sgd(rate: 0.05)
            $0.mode = .sequential
            $0.epochs = 2
        },
        // Contributions of several records.
        Way(name: "large") { $0.learner.hidden = [300, 300] },
    ]

    /// How many slots a trainer has decides no bit of its averages.
    @Test(arguments: ways)
    func slotsDecideNoBit(_ way: Way) throws {
        let cores = Array(CPU.allowed().sorted().prefix(2))
        var found: [[Int: Model]] = []
        for count in 1...cores.count {
            let fixture = try Fixture(rows: [500, 700])
            _ = try fixture.run(
                [fixture.stage("a", [1, 0], way.change)], cores: Array(cores.prefix(count)))
            found.append(try fixture.versions().mapValues(\.model))
            let options = try Self.options(fixture.stage("a", [1, 0], way.change))
            let rows = try fixture.averages(options).values.map(\.rows).max()
            #expect(rows == (way.name == "row by row" ? 2400 : 1200))
        }
        #expect(found[0].count >= 2 && found.allSatisfy { $0 == found[0] })
    }

    /// A trainer that is new begins with the newest average.
    @Test func whoComesLaterBeginsWithTheNewestAverage() throws {
        let fixture = try Fixture(rows: [1000, 500])
        let first = fixture.stage("a", [0])
        _ = try fixture.run(first)
        let options = try Self.options(first)
        let before = try fixture.averages(options)
        let newest = try #require(before.keys.max())
        // Of no rows that it learns.
        let idle = fixture.stage("b", [1]) { $0.exchange?.everyRows = 100_000 }
        _ = try fixture.run(idle)
        let after = try fixture.averages(options)
        #expect(after.keys.max() == newest + 1)
        let average = try #require(after[newest + 1])
        #expect(average.shares.map(\.rows) == [1000, 500])
        // As if the same trainer had gone on with the other rows, but for the features' statistics.
        #expect(try fixture.checkpoint("b").position.exchange?.round == newest + 1)
    }

    /// A trainer that is not there costs the other one round's time, once.
    @Test func nobodyWaitsForWhoIsLost() throws {
        let fixture = try Fixture(rows: [2000, 600])
        // It says that it is there, and dies.
        let options = try Self.options(fixture.stage("a", [0]))
        let topic = try DataDirectory(fixture.directory.path, create: false).topic(
            "averages",
            creating: LogExchange.configuration(
                contribution: ModelContribution.byteCount(options)))
        let lost = LogExchange(topic)
        try lost.append(
            ExchangeRecord.records(
                .join, [], of: TrainerID(name: "lost", life: 3),
                settings: ExchangeLedger.settings(options, specification: 0)))
        try lost.close()
        let begun = Clock.monotonicNanoseconds()
        let summary = try fixture.run(fixture.stage("a", [0], round: 1500))
        let seconds = Double(Clock.monotonicNanoseconds() - begun) / 1e9
        #expect(summary.stages[0].rowsRead == 2000)
        // Eight exchanges, of which one has waited.
        #expect(seconds >= 1.5 && seconds < 9, "\(seconds) s")
        #expect(try fixture.averages(options).count == 8)
    }

    /// Other settings are refused, and so is a checkpoint of another exchange.
    @Test func otherSettingsAreRefused() throws {
        let fixture = try Fixture(rows: [600, 600])
        _ = try fixture.run(fixture.stage("a", [0]))
        let other = #expect(throws: PipelineError.self) {
            _ = try fixture.run(fixture.stage("b", [1]) { $0.optimizer = .sgd() })
        }
        #expect(other?.code == .usage && other?.message.contains("other settings") == true)
        for change: (inout TrainStage) -> Void in [
            { $0.exchange?.everyRows = 128 }, { $0.exchange = nil }, { $0.partitions = [1] },
            { $0.exchange?.topic = .log("another") },
        ] {
            let error = #expect(throws: PipelineError.self) {
                _ = try fixture.run(fixture.stage("a", [0], change))
            }
            #expect(error?.code == .usage && error?.file?.hasSuffix("checkpoint") == true)
        }
        // The time of a round decides no bit.
        _ = try fixture.run(fixture.stage("a", [0], round: 50))
        let missing = #expect(throws: PipelineError.self) {
            _ = try fixture.run(fixture.stage("c", [2]))
        }
        #expect(missing?.code == .usage && missing?.message.contains("partition 2") == true)
    }

    /// What is left of the topic is enough to go on; without an average there is an error.
    @Test func lostRecords() throws {
        let fixture = try Fixture(rows: [1000, 500])
        let stage = fixture.stage("a", [0])
        _ = try fixture.run(stage)
        let options = try Self.options(stage)
        let newest = try #require(try fixture.averages(options).keys.max())
        var saved = try fixture.checkpoint("a")
        // As if the trainer had been away while the records that come next went.
        let content = try fixture.checkpoint("a")
        let path = fixture.directory.path + "/groups/learn-a/checkpoint"
        saved.position.exchange?.next = 1 << 40
        try TrainingCheckpoint.save(
            saved.position, heldOut: content.heldOut, trainer: content.trainer, to: path)
        let error = #expect(throws: PipelineError.self) { _ = try fixture.run(stage) }
        #expect(error?.code == .badData && error?.message.contains("ends at offset") == true)
        try TrainingCheckpoint.save(
            content.position, heldOut: content.heldOut, trainer: content.trainer, to: path)
        _ = try fixture.run(stage)
        #expect(try fixture.averages(options).keys.max() == newest)
    }

    /// Retention has removed what an old checkpoint asks for: the trainer goes on with the newest
    /// average that is left, under another life, and so does one that is new.
    @Test func retentionRemovesOldRounds() throws {
        let fixture = try Fixture(rows: [1200, 6000, 300])
        _ = try DataDirectory(fixture.directory.path, create: false).topic(
            "averages",
            creating: TopicConfiguration(
                kind: .bytes, codec: .none, segmentBytes: 64 << 10,
                retention: RetentionPolicy(bytes: 1)))
        let wide: (inout TrainStage) -> Void = { $0.learner.hidden = [96] }
        let old = fixture.stage("a", [0], wide)
        _ = try fixture.run(old)
        let before = try fixture.checkpoint("a")
        let beside = try fixture.checkpoint("a").trainer
        let other = fixture.stage("b", [1]) {
            wide(&$0)
            $0.exchange?.everyRows = 64
        }
        _ = try fixture.run(other)
        let transport = LogExchange(
            try DataDirectory(fixture.directory.path, create: false).topic("averages"))
        let next = try #require(before.position.exchange?.next)
        try #require(try transport.start() > next)
        // It has nothing new to learn, and more rows later.
        try fixture.append([400, 0, 0])
        _ = try fixture.run(old)
        let after = try fixture.checkpoint("a")
        let place = try #require(after.position.exchange)
        #expect(place.life != before.position.exchange?.life && after.trainer != beside)
        let options = try Self.options(old)
        let trainer = try LaneTrainer(
            checkpoint: after.trainer, options, lanes: 1, exchanges: true)
        #expect(trainer.average?.shares.map(\.rows) == [1600, 6000])
        #expect(trainer.newRows == 0)
        _ = try fixture.run(fixture.stage("c", [2], wide))
        let last = try LaneTrainer(
            checkpoint: fixture.checkpoint("c").trainer, options, lanes: 1, exchanges: true)
        #expect(last.average?.shares.map(\.rows) == [1600, 6000, 300])
    }

    /// A group has the partitions that its stage learns from, and no others.
    @Test func groupsReadChosenPartitions() throws {
        let fixture = try Fixture(rows: [300, 200, 100])
        _ = try fixture.run(
            fixture.stage("a", [2, 0]) {
                $0.exchange = nil
                $0.holdOut = .every(rows: 50)
            })
        let group = try GroupCatalog(DataDirectory(fixture.directory.path, create: false))
            .describe("learn-a")
        #expect(group.partitions.map(\.partition.partition) == [0, 2])
        #expect(group.partitions.map(\.committed) == [300, 100])
        let position = try fixture.checkpoint("a").position
        #expect(position.offsets == [100, 300] && position.exchange == nil)
    }
}
