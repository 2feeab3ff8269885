internal import MillraceReport

/// The end of a run: what is in the topics, and a page that shows it.
public struct RunResult: Sendable {
    /// What was read back from the topics.
    public let summary: RunSummary
    private let findings: RunFindings
    private let definition: PipelineDefinition

    init(_ findings: RunFindings, definition: PipelineDefinition) {
        summary = findings.summary
        self.findings = findings
        self.definition = definition
    }

    /// A self-contained HTML page with plots and tables.
    public func report() -> String {
        RunReport(findings: findings, definition: definition).document().html()
    }
}
