import Millrace
import MillraceModels
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// How well several trainers learn the flights together, beside one that learns from all rows.
///
/// `MILLRACE_EXCHANGE_TABLE=1` measures all that the page on training has a table of; without, little
/// of it.
@Suite(.serialized) struct ExchangeQualityTests {
    /// Some trainers, the batch of each, and how often they exchange.
    private struct Setting {
        var trainers = 1
        var batch = 256
        var everyRows: Int?

        var name: String {
            let every = everyRows.map { "every-\($0)" } ?? "alone"
            return "trainers-\(trainers)-batch-\(batch)-\(every)"
        }
    }

    /// What came of it, for the flights of November and December.
    private struct Quality {
        var logLoss: Double
        var auc: Double
    }

    private static let partitions = 4

    private static func prepare(_ data: TemporaryDirectory) throws {
        var definition = try PipelineDefinition.load(SharedData.root + "/models/flights.yaml")
        for index in definition.topics.indices {
            definition.topics[index].partitions = partitions
        }
        definition.stages.removeAll { $0.name != "prepare" }
        _ = try runToEnd(definition, data: data)
    }

    private func measure(_ setting: Setting, _ data: TemporaryDirectory) throws -> Quality {
        let name = setting.name
        let stages = (0..<setting.trainers).map { index in
            var stage = TrainStage(
                from: "flights.train", model: name,
                learner: LearnerDefinition(objective: .logistic), optimizer: .adam(rate: 0.01),
                batchRows: setting.batch)
            if let every = setting.everyRows {
                let share = Self.partitions / setting.trainers
                stage.partitions = Array(index * share..<(index + 1) * share)
                stage.exchange = ModelExchange(
                    topic: .log(name), trainer: "t\(index)", everyRows: every,
                    roundMilliseconds: 10_000)
            }
            return StageDefinition(name: "\(name)-\(index)", work: .train(stage))
        }
        let train = PipelineDefinition(
            topics: [try .existing("flights.train", data: data.path)], stages: stages)
        let trained = try runToEnd(train, data: data).summary
        #expect(trained.stages.compactMap(\.lastMetrics?.rows).reduce(0, +) == 273_355)
        let score = PipelineDefinition(
            topics: [
                try .existing("flights.live", data: data.path),
                TopicDefinition(
                    name: "\(name).scores", partitions: Self.partitions, content: .predictions),
            ],
            stages: [
                StageDefinition(
                    name: "\(name)-score",
                    work: .score(
                        ScoreStage(
                            from: "flights.live", to: Reference("\(name).scores"),
                            model: ModelReference(name))))
            ])
        let scored = try runToEnd(score, data: data).summary
        let quality = try #require(scored.stage("score")?.quality)
        let found = Quality(
            logLoss: try #require(quality.logLoss), auc: try #require(quality.auc))
        print("flights, \(name): log-loss \(found.logLoss), AUC \(found.auc)")
        return found
    }

    @Test func severalTrainersLearnWhatOneDoes() throws {
        let isWhole = Environment.number("MILLRACE_EXCHANGE_TABLE", or: 0) > 0
        let data = try TemporaryDirectory()
        try Self.prepare(data)
        let one = try measure(Setting(), data)
        var settings = [Setting(trainers: 2, batch: 128, everyRows: 4096)]
        if isWhole {
            for batch in [512, 1024] { _ = try measure(Setting(batch: batch), data) }
            settings = [(2, 128), (2, 256), (4, 64), (4, 256)].flatMap { trainers, batch in
                [1024, 8192, 65_536].map {
                    Setting(trainers: trainers, batch: batch, everyRows: $0)
                }
            }
        }
        for setting in settings {
            let found = try measure(setting, data)
            #expect(found.logLoss < one.logLoss + 0.02 && found.auc > one.auc - 0.01)
        }
    }
}
