internal import Glibc
internal import Logging
internal import Millrace
internal import MillraceMetrics
internal import MillracePipeline

/// Runs a pipeline for a command: with progress on a terminal, an end by signals, and what is asked
/// for afterwards.
struct RunExecution {
    /// The HTML file to write; nil for none.
    let report: String?
    /// Whether the summary is one JSON document.
    let json: Bool
    /// Where metrics are served while it runs.
    let metrics: MetricsOptions

    func run(_ definition: PipelineDefinition, _ options: RunOptions) throws {
        if let report { try ReportFile.check(report) }
        let screen = Screen()
        let logger = Logger(label: "millrace") { _ in NoteLogHandler(screen: screen) }
        let run = try PipelineRun(definition, options: options, logger: logger)
        let server = try metrics.serve(run, logger)
        defer { server?.close() }
        Signals.onInterrupt { run.stop() }
        let ticker = try screen.follow { run.progress() }
        let outcome = Result { try run.run() }
        screen.end(ticker)
        let result = try outcome.get()
        if let report { try ReportFile.write(result.report(), to: report) }
        if json {
            print(try SummaryText.json(result.summary))
        } else {
            print(SummaryText.text(result.summary, report: report), terminator: "")
        }
    }
}
