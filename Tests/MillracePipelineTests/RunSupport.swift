import Logging
import Millrace
import MillraceSystem
import MillraceTestSupport

@testable import MillracePipeline

/// Runs a definition to its end in this process, in a directory of its own.
func runToEnd(_ definition: PipelineDefinition, data: TemporaryDirectory) throws -> RunResult {
    let run = try PipelineRun(
        definition, options: RunOptions(data: data.path), logger: .silent)
    return try run.run()
}

extension Logger {
    /// A logger that says nothing.
    static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}

extension RunSummary {
    /// The stage of this kind.
    func stage(_ kind: String) -> StageSummary? { stages.first { $0.kind == kind } }

    /// The topic of this name.
    func topic(_ name: String) -> TopicSummary? { topics.first { $0.name == name } }
}
