internal import ArgumentParser
internal import MillraceCompute
internal import MillraceKafka
internal import MillracePipeline
internal import MillraceRepository

/// `millrace score`: the rows of one topic, predicted into another.
struct ScoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Scores a feature topic into a predictions topic.",
        discussion: """
            The same as a score stage of a pipeline file. Run it again after a crash or a kill and it
            goes on where it was: every row of IN has exactly one outcome in OUT. Where rows have
            labels, the summary says how good the predictions are. NAME means the newest version, or
            the one rolled back to, and a newer one is taken up while it runs; NAME@7 is that version
            for every row, NAME@stable follows the alias.

            IN and OUT may be kafka://HOST:PORT/TOPIC. Then the stage is a member of the Kafka consumer
            group GROUP; records are rows of numbers, or the columns that the model was trained on,
            and predictions are JSON. Where both are Kafka's, each record has one prediction in one
            committed transaction.

            Example: millrace score flights.live delay.scores --model delay --report scores.html
            Example: millrace score flights.live delay.scores --model delay@stable --follow
            Example: millrace score flights.live delay.scores --model delay --precision bfloat16
            Example: millrace score kafka://broker/flights kafka://broker/delays --model delay \
              --group scorers --follow
            """)

    @Argument(
        help: ArgumentHelp("The feature topic to read, or an address.", valueName: "in"))
    var input: String
    @Argument(
        help: ArgumentHelp(
            """
            The predictions topic; made with as many partitions as IN when it is not there. Or an \
            address.
            """, valueName: "out"))
    var output: String
    @Option(help: ArgumentHelp(ModelCommand.referenceHelp, valueName: "name[@version]"))
    var model: String
    @Option(help: "The consumer group, which tells what is done. Default: score-OUT.")
    var group: String?
    @Option(help: "Cores to score on, as in 0,2,4-7. Default: each physical core that is free.")
    var cores: String?
    @Flag(help: "Run also on cores that groups of other processes use.") var shareCores = false
    @Option(help: "Come back under this name after a restart: within 30 s nothing changes hands.")
    var instance: String?
    @Flag(help: "End when everything has been read. The default.") var untilEnd = false
    @Flag(
        help: """
            Go on when everything has been read, until interrupted; a model that has no version yet \
            is waited for.
            """)
    var follow = false
    @Option(
        help: """
            What to compute with: auto, avx512, avx2, portable or blas. Default: auto, which is \
            MILLRACE_KERNELS or the best here.
            """)
    var kernels = "auto"
    @Option(help: ArgumentHelp(PrecisionArgument.help)) var precision = "float32"
    @Option(help: "Write a report to this HTML file.") var report: String?
    @Flag(help: "Print the summary as one JSON document.") var json = false
    @OptionGroup(title: "Kafka") var kafka: KafkaStageOptions
    @OptionGroup var metrics: MetricsOptions
    @OptionGroup var places: DataOptions

    func validate() throws {
        if untilEnd && follow {
            throw ValidationError("--until-end and --follow exclude each other")
        }
        let addresses = [input, output].map { KafkaAddress.isAddress($0) }
        if addresses == [false, false], let option = kafka.first {
            throw ValidationError("\(option) is for topics of Kafka, kafka://HOST:PORT/TOPIC")
        }
        if addresses.contains(true), report != nil {
            throw ValidationError("--report is made of topics of the log, and reads none of Kafka")
        }
    }

    private func definition() throws -> PipelineDefinition {
        let set: KernelSet
        do throws(ComputeError) { set = try KernelSet.choose(kernels) } catch {
            throw PipelineError(.usage, error.description)
        }
        let target = try kafka.output(output)
        return try PipelineDefinition.scoring(
            from: (input, try kafka.input(input)), to: (output, target),
            model: ModelReference(parsing: model),
            group: group ?? "score-\(target?.address.topic ?? output)", kernels: set,
            precision: PrecisionArgument.parse(precision), data: places.data)
    }

    func run() throws {
        Signals.ignoreBrokenPipesAndFileSizes()
        let pipeline = try ExitStatus.coded { try definition() }
        let cores = try cores.map { text in
            try ExitStatus.coded { try CoreArgument.parse(text) }
        }
        try RunExecution(report: report, json: json, metrics: metrics).run(
            pipeline,
            RunOptions(
                data: places.data, models: places.models, cores: cores, sharesCores: shareCores,
                instance: instance, follow: follow))
    }
}
