import Logging
import Millrace
import MillraceCompute
import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// Training stages on topics with several partitions, from their rows to what is published.
@Suite(.serialized) struct RunTrainingTests {
    private static let width = 6

    /// A data directory with a labelled topic of four partitions of unequal length.
    private struct Fixture {
        let directory: TemporaryDirectory
        let topic: Topic
        private var next: [Int]

        init(counts: [Int] = [900, 1300, 400, 1100]) throws {
            directory = try TemporaryDirectory()
            topic = try DataDirectory(directory.path, create: true).topic(
                "rows",
                creating: TopicConfiguration(
                    partitions: counts.count, kind: .features, features: width, label: true))
            next = counts.map { _ in 0 }
            try append(counts)
        }

        /// Rows whose numbers follow from partition and offset; some have no label, and one in each
        /// partition has a label or a feature that none can learn from.
        ///
        /// Flipped ones say the opposite, but for every fourth row; a shift is on the third feature.
        mutating func append(
            _ counts: [Int], flipped: Bool = false, shift: Float = 0
        ) throws {
            for (partition, count) in counts.enumerated() where count > 0 {
                var builder = BatchBuilder(columns: width)
                for offset in next[partition]..<next[partition] + count {
                    var random = SplitMix64(seed: UInt64(partition) << 32 | UInt64(offset))
                    let numbers = (0..<width).map { _ in Float(random.unit() * 4 - 2) }
                    var label: Float = numbers[0] + numbers[1] * numbers[2] > 0 ? 1 : 0
                    if flipped, offset % 4 != 3 { label = 1 - label }
                    if random.next() % 7 == 0 { label = .nan }
                    if offset == 33 { label = 5 }
                    do {
                        var row = builder.nextRow()
                        for i in 0..<width { row[i] = numbers[i] + (i == 2 ? shift : 0) }
                        if random.next() % 9 == 0 { row[3] = .nan }
                        if offset == 55 { row[4] = .infinity }
                    }
                    builder.commitRow(label: label)
                }
                var writer = try topic.writer(partition: partition)
                try writer.append(&builder)
                try writer.close()
                next[partition] += count
            }
        }

        /// All alarms in the metrics topic.
        func alarms() throws -> [DriftAlarm] {
            var found: [DriftAlarm] = []
            var reader = try DataDirectory(directory.path, create: false)
                .topic("learn.metrics").reader(partition: 0)
            while true {
                guard let batch = try reader.next() else { break }
                for row in 0..<batch.rows {
                    found += try MetricsRecord(json: batch.value(row)).alarms ?? []
                }
            }
            return found
        }

        func definition(_ change: (inout TrainStage) -> Void) throws -> PipelineDefinition {
            var stage = TrainStage(
                from: "rows", model: "m", learner: LearnerDefinition(objective: .logistic),
                batchRows: 64, publishEveryRows: 1000, checkpointEveryRows: 300)
            change(&stage)
            return PipelineDefinition(
                topics: [try .existing("rows", data: directory.path)],
                stages: [StageDefinition(name: "learn", work: .train(stage))])
        }

        func run(
            cores: [Int], logger: Logger = .silent, _ change: (inout TrainStage) -> Void
        ) throws -> Outcome {
            let run = try PipelineRun(
                try definition(change),
                options: RunOptions(data: directory.path, cores: cores), logger: logger)
            let summary = try run.run().summary
            let content = try #require(
                try TrainingCheckpoint.load(directory.path + "/groups/learn/checkpoint"))
            let repository = ModelRepository(path: directory.path + "/models")
            let models = try repository.versions(of: "m").map {
                try repository.load("m", version: $0).model
            }
            return Outcome(summary: summary, content: content, models: models)
        }
    }

    private struct Outcome {
        var summary: RunSummary
        var content: TrainingCheckpoint.Content
        var models: [Model]
    }

    struct Way: CustomTestStringConvertible, Sendable {
        var name: String
        var change: @Sendable (inout TrainStage) -> Void
        var testDescription: String { name }
    }

    static let ways = [
        Way(name: "reduce") {
            $0.learner.hidden = [8]
            $0.holdOut = .every(rows: 16)
            $0.drift = DriftDetection()
        },
        Way(name: "reduce, two passes") {
            $0.optimizer = .momentum(nesterov: true)
            $0.epochs = 2
        },
        Way(name: "average") {
            $0.learner.hidden = [8]
            $0.synchronization = .average(everyRows: 512)
        },
        Way(name: "row by row, average") {
            $0.optimizer = .sgd(rate: 0.05)
            $0.mode = .sequential
            $0.synchronization = .average(everyRows: 512)
        },
        Way(name: "row by row, in turn") {
            $0.optimizer = .ftrl()
            $0.regularization.l1 = 0.01
            $0.mode = .sequential
        },
    ]

    private static let cores = Array(CPU.allowed().sorted().prefix(2))

    @Test(arguments: ways)
    func slotsDecideNoBit(_ way: Way) throws {
        var outcomes: [Outcome] = []
        for count in 1...Self.cores.count {
            let fixture = try Fixture()
            outcomes.append(try fixture.run(cores: Array(Self.cores.prefix(count)), way.change))
        }
        let first = try #require(outcomes.first)
        #expect(first.models.count >= 3)
        let stage = try #require(first.summary.stage("train"))
        #expect(stage.rowsRejected == 8 * (way.name.contains("two passes") ? 2 : 1))
        #expect(stage.lastMetrics?.accuracy.map { $0 > 0.55 } == true)
        for other in outcomes.dropFirst() {
            #expect(other.content.trainer == first.content.trainer)
            #expect(other.content.heldOut == first.content.heldOut)
            #expect(other.models == first.models)
            #expect(other.summary.stage("train")?.lastMetrics == stage.lastMetrics)
        }
    }

    /// A topic that grows after its end was reached: whole steps are those of one training.
    @Test func whatComesLaterIsLearntAsIfItHadBeenThere() throws {
        let change: (inout TrainStage) -> Void = {
            $0.learner.hidden = [8]
            $0.publishEveryRows = nil
        }
        // 640 rows are ten steps of 16 rows of each of four partitions.
        var parts = try Fixture(counts: [160, 160, 160, 160])
        _ = try parts.run(cores: Self.cores, change)
        try parts.append([80, 80, 80, 80])
        let later = try parts.run(cores: Array(Self.cores.prefix(1)), change)
        let whole = try Fixture(counts: [240, 240, 240, 240]).run(cores: Self.cores, change)
        #expect(later.content.trainer == whole.content.trainer)
        #expect(later.models.last == whole.models.last)
        // Nothing new, nothing published.
        let again = try parts.run(cores: Self.cores, change)
        #expect(again.models == later.models && again.content.trainer == later.content.trainer)
    }

    /// A trainer that was killed when it knew where the partitions end, and finds more rows when it
    /// goes on: they come after those, in their order, and in the same run.
    @Test func anEndThatAKilledRunHasDecidedIsNotThatOfTheNext() throws {
        let change: (inout TrainStage) -> Void = {
            $0.optimizer = .sgd(rate: 0.05)
            $0.mode = .sequential
        }
        // Turns of 256 rows.
        var parts = try Fixture(counts: [512, 512])
        var killed = try parts.run(cores: Self.cores, change).content
        #expect(killed.position.isFinished && killed.position.ends == [512, 512])
        killed.position.isFinished = false
        try TrainingCheckpoint.save(
            killed.position, heldOut: killed.heldOut, trainer: killed.trainer,
            to: parts.directory.path + "/groups/learn/checkpoint")
        try parts.append([512, 768])
        let later = try parts.run(cores: Self.cores, change)
        #expect(later.content.position.offsets == [1024, 1280])
        let whole = try Fixture(counts: [1024, 1280]).run(cores: Self.cores, change)
        #expect(later.content.trainer == whole.content.trainer)
        #expect(later.content.position.turn == whole.content.position.turn)
    }

    /// However rows are cut into batches, those of whole steps too.
    @Test(arguments: [UpdateMode.miniBatch, .sequential])
    func batchesDecideNoBit(_ mode: UpdateMode) throws {
        let change: (inout TrainStage) -> Void = {
            $0.optimizer = .sgd(rate: 0.05)
            $0.mode = mode
            $0.epochs = 3
        }
        let whole = try Fixture(counts: [1024]).run(cores: Self.cores, change)
        var parts = try Fixture(counts: [0])
        for _ in 0..<4 { try parts.append([256]) }
        let cut = try parts.run(cores: Self.cores, change)
        #expect(cut.content.position.sourceRows == 3 * 1024)
        #expect(cut.content.trainer == whole.content.trainer)
    }

    /// Rows that are held out are predicted and never learnt from.
    @Test func heldOutRowsAreNotLearntFrom() throws {
        let fixture = try Fixture(counts: [2000])
        let outcome = try fixture.run(cores: Array(Self.cores.prefix(1))) {
            $0.holdOut = .every(rows: 10)
            $0.publishEveryRows = 500
        }
        let last = try #require(outcome.summary.stage("train")?.lastMetrics)
        let held = try #require(last.heldOut)
        // One in seven of 200 has no label; what cannot be learnt from is no judge either.
        #expect((150...185).contains(held.rows))
        #expect((last.rows + held.rows) > 1650 && held.accuracy.map { $0 > 0.5 } == true)
        // Learning goes on well, so that each later version is as good as the one before.
        #expect(last.gate?.outcome == .passed)
        #expect(last.gate?.loss.map { $0.isFinite } == true)
    }

    /// The kernels that a stage asks for are those that it computes with.
    @Test func aStageTrainsWithItsKernels() throws {
        var trained: [[UInt8]] = []
        for kernels in [KernelSet.blas, .portable, .portable] {
            let outcome = try Fixture(counts: [600, 600]).run(cores: [Self.cores[0]]) {
                $0.learner.hidden = [40]
                $0.kernels = kernels
            }
            #expect(outcome.content.position.kernels == kernels.rawValue)
            trained.append(outcome.content.trainer)
        }
        #expect(trained[0] != trained[1] && trained[1] == trained[2])
    }

    /// A checkpoint of other kernels goes on, and it is said that bits may differ; one of other
    /// settings, or a damaged one, is refused.
    @Test func checkpointsAreWhatTheySay() throws {
        let fixture = try Fixture(counts: [600, 600])
        let core = [Self.cores[0]]
        let path = fixture.directory.path + "/groups/learn/checkpoint"
        let first = try fixture.run(cores: core) { _ in }
        var position = first.content.position
        #expect(position.kernels == KernelSet.best.rawValue)
        position.kernels = "neon"
        try TrainingCheckpoint.save(position, trainer: first.content.trainer, to: path)
        let lines = Lines()
        _ = try fixture.run(cores: core, logger: Logger(label: "test") { _ in lines }) { _ in }
        let said = lines.text.lines.withLock { $0 }
        #expect(
            said.contains { $0.contains("kernels neon") && $0.contains("differ") })
        #expect(
            lines.text.fields.withLock { $0 }.contains {
                $0["group"] == "learn" && $0["stage"] != nil && $0["checkpoint_kernels"] == "neon"
            })
        let other = #expect(throws: PipelineError.self) {
            _ = try fixture.run(cores: core) { $0.optimizer = .sgd() }
        }
        #expect(other?.code == .usage && other?.file == path)
        // Whole by its checksum, and of another architecture.
        let saved = try #require(try TrainingCheckpoint.load(path))
        let alien = try LaneTrainer(TrainingOptions(.regression, features: 3), lanes: 2)
        for trainer in [alien.checkpoint(), Array(saved.trainer.dropLast()), []] {
            try TrainingCheckpoint.save(saved.position, trainer: trainer, to: path)
            let error = #expect(throws: PipelineError.self) {
                _ = try fixture.run(cores: core) { _ in }
            }
            #expect(error?.code == .badData && error?.file == path)
        }
    }

    /// A version that is worse than the current one on the held-out rows is not published.
    @Test func theGateRefusesWhatIsWorse() throws {
        var fixture = try Fixture(counts: [3000])
        let core = [Self.cores[0]]
        let change: (inout TrainStage) -> Void = {
            $0.holdOut = .every(rows: 4)
            $0.publishEveryRows = nil
            $0.optimizer = .sgd(rate: 0.5)
        }
        let first = try fixture.run(cores: core, change)
        #expect(first.models.count == 1)
        // From now on labels are the other way round, and none is held out.
        try fixture.append([3000], flipped: true)
        let second = try fixture.run(cores: core, change)
        let gate = try #require(second.summary.stage("train")?.lastMetrics?.gate)
        #expect(gate.outcome == .refused, "\(gate)")
        #expect(try #require(gate.loss) > 1.05 * #require(gate.currentLoss))
        #expect(second.models == first.models)
    }

    /// A stream whose labels turn round, or whose feature moves, is noticed; and it is a record.
    @Test func changesOfTheStreamAreAlarms() throws {
        var fixture = try Fixture(counts: [6000])
        let core = [Self.cores[0]]
        let change: (inout TrainStage) -> Void = {
            $0.drift = DriftDetection(tolerance: 0.02, threshold: 2)
            $0.optimizer = .sgd(rate: 0.1)
        }
        _ = try fixture.run(cores: core, change)
        #expect(try fixture.alarms() == [])
        try fixture.append([6000], flipped: true)
        _ = try fixture.run(cores: core, change)
        let alarms = try fixture.alarms()
        #expect(alarms.contains { $0.kind == .loss && $0.distance > 2 }, "\(alarms)")
        #expect(!alarms.contains { $0.kind == .feature }, "\(alarms)")
        try fixture.append([6000], shift: 9)
        _ = try fixture.run(cores: core, change)
        let later = try fixture.alarms()
        #expect(later.contains { $0.kind == .feature && $0.feature == "2" }, "\(later)")
    }

    /// A rate at which weights explode ends in an error, and what was published stays.
    @Test func divergingTrainingEndsInAnError() throws {
        let fixture = try Fixture(counts: [2000])
        let good = try fixture.run(cores: Array(Self.cores.prefix(1))) { _ in }
        #expect(good.models.count == 2)
        let error = #expect(throws: PipelineError.self) {
            let run = try PipelineRun(
                PipelineDefinition(
                    topics: [try .existing("rows", data: fixture.directory.path)],
                    stages: [
                        StageDefinition(
                            name: "explode",
                            work: .train(
                                TrainStage(
                                    from: "rows", model: "m",
                                    learner: LearnerDefinition(
                                        hidden: [8, 8], objective: .regression),
                                    optimizer: .sgd(rate: 1000), publishEveryRows: 100)))
                    ]),
                options: RunOptions(data: fixture.directory.path, cores: [Self.cores[0]]),
                logger: .silent)
            _ = try run.run()
        }
        #expect(error?.code == .badData)
        #expect(error?.description.contains("a smaller rate than 1000.0") == true)
        let repository = ModelRepository(path: fixture.directory.path + "/models")
        for version in try repository.versions(of: "m") {
            let model = try repository.load("m", version: version).model
            #expect(model.layers.allSatisfy { $0.weights.allSatisfy(\.isFinite) })
        }
        #expect(try repository.versions(of: "m").contains(1))
    }
}

/// What a logger was told.
private struct Lines: LogHandler {
    final class Text: Sendable {
        let lines = Lock<[String]>([])
        let fields = Lock<[[String: String]]>([])
    }

    let text = Text()
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        text.lines.withLock { $0.append(event.message.description) }
        let all = metadata.merging(event.metadata ?? [:]) { _, told in told }
        text.fields.withLock { $0.append(all.mapValues { "\($0)" }) }
    }
}
