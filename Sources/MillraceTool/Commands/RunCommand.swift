internal import ArgumentParser
internal import MillracePipeline

/// `millrace run`: a whole pipeline in one process.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs a pipeline file to the end of its input.",
        discussion: """
            Run it again after a crash or a kill and it goes on where it was: every row has exactly
            one outcome.

            Example: millrace run models/flights.yaml --report flights.html
            """)

    @Argument(help: "The pipeline file, YAML.")
    var pipeline: String

    @Option(name: .customLong("stage"), help: "Run only this stage. May be given several times.")
    var stages: [String] = []

    @Flag(help: "End when everything has been read. The default.")
    var untilEnd = false

    @Flag(help: "Go on when everything has been read, until interrupted.")
    var follow = false

    @Option(help: "Cores for the stages that name none, as in 0,2,4-7.")
    var cores: String?

    @Flag(help: "Run also on cores that groups of other processes use.")
    var shareCores = false

    @Option(help: "Come back under this name after a restart: within 30 s nothing changes hands.")
    var instance: String?

    @Option(help: "Write a report to this HTML file.")
    var report: String?

    @Flag(help: "Print the summary as one JSON document.")
    var json = false

    @OptionGroup var metrics: MetricsOptions
    @OptionGroup var places: DataOptions

    func validate() throws {
        if untilEnd && follow {
            throw ValidationError("--until-end and --follow exclude each other")
        }
    }

    func run() throws {
        Signals.ignoreBrokenPipesAndFileSizes()
        let definition = try PipelineDefinition.load(pipeline)
        let options = RunOptions(
            data: places.data, models: places.models, stages: stages.isEmpty ? nil : stages,
            cores: try cores.map { text in
                try ExitStatus.coded { try CoreArgument.parse(text) }
            }, sharesCores: shareCores, instance: instance, follow: follow)
        try RunExecution(report: report, json: json, metrics: metrics).run(definition, options)
    }
}
