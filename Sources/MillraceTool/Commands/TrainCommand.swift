internal import ArgumentParser
internal import Logging
internal import MillraceModels
internal import MillracePipeline

/// `millrace train`: one model from one labelled feature topic.
struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Trains a model on a labelled feature topic and publishes its versions.",
        discussion: """
            Run it again after a crash or a kill and it goes on where it was, to the same bits. A
            pipeline file has more settings: schedules, penalties, held-out rows, averaging.

            Example: millrace train flights.train --model delay --linear logistic --cores 0,1 \\
              --report delay.html
            Example: millrace train digits --model digits --mlp 128,64 --classes 10 --epochs 30

            Trainers in several processes learn one model when they exchange averages through a
            topic; each has partitions and a name of its own, and its settings are the others'.

            Example: millrace train flights.train --model delay --linear logistic \\
              --partitions 0,1 --exchange delay.exchange --trainer a
            """)

    enum Linear: String, ExpressibleByArgument, CaseIterable {
        case regression, logistic, softmax
    }

    enum OptimizerName: String, ExpressibleByArgument, CaseIterable {
        case sgd, momentum, adam, adamw, adagrad, ftrl

        var optimizer: Optimizer {
            switch self {
            case .sgd: .sgd()
            case .momentum: .momentum()
            case .adam: .adam()
            case .adamw: .adamW()
            case .adagrad: .adagrad()
            case .ftrl: .ftrl()
            }
        }
    }

    @Argument(help: "The feature topic to learn from.") var topic: String
    @Option(help: "The name under which versions are published.") var model: String
    @Option(help: "Train a linear model.") var linear: Linear?
    @Option(help: "Train a multi-layer perceptron with these hidden layers, as in 128,64.")
    var mlp: String?
    @Option(help: "Classes, for softmax; for --mlp too, where none means a regression.")
    var classes: Int?
    @Option(help: "The consumer group. Default: train-MODEL, or train-MODEL-TRAINER.")
    var group: String?
    @Option(help: "Learn from these partitions only, as in 0,2.") var partitions: String?
    @OptionGroup var exchange: TrainExchangeOptions
    @Option(help: "Cores to train on, as in 0,2,4-7; how many does not change the weights.")
    var cores: String?
    @Flag(help: "Allow cores on which groups of other processes run.") var shareCores = false
    @Option(help: "How weights follow from gradients.") var optimizer: OptimizerName = .adam
    @Option(help: "The learning rate. Default: the optimiser's own.") var rate: Double?
    @Option(help: "Rows in a mini-batch.") var batch: Int = TrainStage.defaultBatchRows
    @Flag(help: "Learn row by row: for linear models.") var sequential = false
    @Option(help: "How often the topic is read.") var epochs: Int = 1
    @Flag(help: "Go on when everything has been read, until interrupted.") var follow = false
    @Option(help: "What all random numbers come from.") var seed: UInt64 = 1
    @Option(help: "Rows between two published versions. Default: one, at the end.")
    var publishEvery: Int?
    @Option(help: "How many of the newest versions stay. Default: all.") var keepVersions: Int?
    @Option(help: "Hold out every so-manieth row, to judge versions by.") var holdOut: Int?
    @Option(help: "Write a report to this HTML file.") var report: String?
    @Flag(help: "Print the summary as one JSON document.") var json = false
    @OptionGroup var metrics: MetricsOptions
    @OptionGroup var places: DataOptions

    func validate() throws {
        guard (linear == nil) != (mlp == nil) else {
            throw ValidationError("say what to train: --linear KIND or --mlp SIZES")
        }
        if linear == .softmax, classes == nil {
            throw ValidationError("--linear softmax needs --classes")
        }
        if follow, epochs > 1 {
            throw ValidationError("--follow and --epochs exclude each other")
        }
        if let holdOut, holdOut < 2 { throw ValidationError("--hold-out is at least 2") }
        _ = try hiddenLayers()
        _ = try chosenPartitions()
    }

    private func chosenPartitions() throws -> [Int]? {
        guard let partitions else { return nil }
        let most = TopicDefinition.maxPartitions
        let numbers = partitions.split(separator: ",", omittingEmptySubsequences: false).map {
            Int($0).flatMap { (0..<most).contains($0) ? $0 : nil }
        }
        let chosen = numbers.compactMap(\.self)
        guard chosen.count == numbers.count, Set(chosen).count == chosen.count else {
            throw ValidationError(
                "--partitions takes different numbers from 0 to \(most - 1), as in 0,2, not "
                    + partitions)
        }
        return chosen
    }

    private func hiddenLayers() throws -> [Int] {
        guard let mlp else { return [] }
        let sizes = mlp.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard sizes.allSatisfy({ $0.map { (1...65_536).contains($0) } ?? false }) else {
            throw ValidationError("--mlp takes sizes from 1 to 65536, as in 128,64, not \(mlp)")
        }
        return sizes.compactMap { $0 }
    }

    private func objective() -> Objective {
        if let linear {
            switch linear {
            case .regression: return .regression
            case .logistic: return .logistic
            case .softmax: return .softmax(classes: classes ?? 2)
            }
        }
        guard let classes else { return .regression }
        return classes == 2 ? .logistic : .softmax(classes: classes)
    }

    private func definition() throws -> PipelineDefinition {
        let name = group ?? "train-\(model)" + (exchange.trainer.map { "-" + $0 } ?? "")
        var stage = TrainStage(
            from: Reference(topic), model: model,
            learner: LearnerDefinition(hidden: try hiddenLayers(), objective: objective()),
            optimizer: optimizer.optimizer, batchRows: batch, epochs: epochs, seed: seed,
            publishEveryRows: publishEvery)
        if let rate { stage.optimizer = stage.optimizer.with(rate: rate) }
        stage.keepVersions = keepVersions
        if sequential { stage.mode = .sequential }
        stage.holdOut = holdOut.map { .every(rows: $0) }
        stage.partitions = try chosenPartitions()
        stage.exchange = try ExitStatus.coded { try exchange.definition() }
        return PipelineDefinition(
            topics: [try .existing(topic, data: places.data)],
            stages: [StageDefinition(name: name, work: .train(stage))])
    }

    func run() throws {
        Signals.ignoreBrokenPipesAndFileSizes()
        let cores = try cores.map { text in
            try ExitStatus.coded { try CoreArgument.parse(text) }
        }
        try RunExecution(report: report, json: json, metrics: metrics).run(
            definition(),
            RunOptions(
                data: places.data, models: places.models, cores: cores, sharesCores: shareCores,
                follow: follow))
    }
}
