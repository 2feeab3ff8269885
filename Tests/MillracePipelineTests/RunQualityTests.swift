import Millrace
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// The two shipped pipelines on the data that comes with them: what they have to reach.
@Suite(.serialized) struct RunQualityTests {
    // MARK: Flights

    @Test func flights() throws {
        let directory = try TemporaryDirectory()
        let definition = try PipelineDefinition.load(SharedData.root + "/models/flights.yaml")
        let result = try runToEnd(definition, data: directory)
        let summary = result.summary
        let prepare = try #require(summary.stage("preprocess"))
        #expect(prepare.rowsRead == 336_776)
        #expect(prepare.rowsWritten == 336_776)
        #expect(prepare.rowsRejected == 0)

        // Rows without an arrival are in the topic and are not learnt from.
        let train = try #require(summary.topic("flights.train"))
        #expect(train.rows == 281_373)
        #expect(train.labelledRows == 273_355)
        let learn = try #require(summary.stage("train"))
        #expect(learn.training?.rows == 273_355)
        #expect(learn.rowsRead == 281_373)
        #expect(learn.modelVersions.count == 6)

        // They are scored, and left out where predictions are judged.
        let predict = try #require(summary.stage("score"))
        #expect(predict.rowsRead == 55_403)
        #expect(predict.rowsWritten == 55_403)
        #expect(predict.rowsRejected == 0)
        #expect(predict.modelVersions == [6: 55_403])
        let quality = try #require(predict.quality)
        #expect(quality.rows == 53_991)
        let auc = try #require(quality.auc)
        let logLoss = try #require(quality.logLoss)
        print("flights: AUC \(auc), log-loss \(logLoss)")
        #expect(auc >= 0.875)
        #expect(logLoss <= 0.330)
        check(report: result.report(), auc: auc, logLoss: logLoss)
    }

    /// The page shows what was measured, and needs nothing from anywhere else.
    private func check(report: String, auc: Double, logLoss: Double) {
        for number in ["336,776", "273,355", "55,403", "53,991"] {
            #expect(report.contains(number))
        }
        #expect(report.contains(rounded(auc)))
        #expect(report.contains(rounded(logLoss)))
        for title in [
            "Loss over the stream", "AUC over the stream", "Throughput by stage", "Lag by stage",
            "ROC curve", "Calibration",
        ] {
            #expect(report.contains(title), "\(title)")
        }
        // The name of the SVG vocabulary is no address that is fetched.
        #expect(!report.replacing("http://www.w3.org/2000/svg", with: "").contains("://"))
        #expect(!report.contains("src=") && !report.contains("@import"))
        #expect(!report.contains("NaN") && !report.contains("nan"))
    }

    /// Four decimals.
    private func rounded(_ value: Double) -> String {
        let digits = String(Int((value * 10_000).rounded()))
        return "0." + String(repeating: "0", count: 4 - digits.count) + digits
    }

    // MARK: Digits

    /// The middle accuracy of five seeds.
    private func median(
        _ name: String, _ change: (inout PipelineDefinition, _ seed: UInt64) -> Void
    ) throws -> Double {
        var accuracies: [Double] = []
        for seed in UInt64(1)...5 {
            var definition = try PipelineDefinition.load(SharedData.root + "/models/digits.yaml")
            change(&definition, seed)
            let summary = try runToEnd(definition, data: TemporaryDirectory()).summary
            let predict = try #require(summary.stage("score"))
            #expect(predict.rowsRead == 359)
            #expect(predict.quality?.rows == 359)
            #expect(summary.stage("train")?.lastMetrics?.rows == 30 * 1438)
            accuracies.append(try #require(predict.quality?.accuracy))
        }
        print("digits, \(name): \(accuracies)")
        return accuracies.sorted()[2]
    }

    @Test func digitsByPerceptron() throws {
        let accuracy = try median("perceptron") { $0.changeTraining(seed: $1) { _ in } }
        #expect(accuracy >= 0.965)
    }

    @Test func digitsBySoftmax() throws {
        let accuracy = try median("softmax") { definition, seed in
            definition.changeTraining(seed: seed) { stage in
                stage.learner = LearnerDefinition(objective: .softmax(classes: 10))
                stage.batchRows = 32
                stage.optimizer = .adam(rate: 0.003)
            }
            definition.changePreprocessing { stage in
                stage.definition.features = [
                    FeatureDefinition(column: "p*", encoding: .number(NumberEncoding()))
                ]
            }
        }
        #expect(accuracy >= 0.955)
    }
}

extension PipelineDefinition {
    /// Changes the train stages.
    mutating func changeTraining(seed: UInt64, _ change: (inout TrainStage) -> Void) {
        for index in stages.indices {
            guard case .train(var work) = stages[index].work else { continue }
            work.seed = seed
            change(&work)
            stages[index].work = .train(work)
        }
    }

    /// Changes the preprocess stages.
    mutating func changePreprocessing(_ change: (inout PreprocessStage) -> Void) {
        for index in stages.indices {
            guard case .preprocess(var work) = stages[index].work else { continue }
            change(&work)
            stages[index].work = .preprocess(work)
        }
    }
}
