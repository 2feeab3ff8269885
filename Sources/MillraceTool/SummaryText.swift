internal import FoundationEssentials
internal import MillraceCompute
internal import MillracePipeline
internal import MillraceReport

/// The closing summary of a run.
enum SummaryText {
    static func json(_ summary: RunSummary) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return String(decoding: try encoder.encode(summary), as: UTF8.self)
    }

    static func text(_ summary: RunSummary, report: String?) -> String {
        var facts: [ClosingSummary.Fact] = []
        for stage in summary.stages {
            if let line = training(stage) { facts.append(("\(stage.name) learnt", line)) }
            if let line = quality(stage) { facts.append(("\(stage.name) scored", line)) }
            if let precision = stage.precision {
                let reason = stage.precisionFallback.map { ", not as asked for: \($0)" } ?? ""
                facts.append(("\(stage.name) precision", precision.rawValue + reason))
            }
        }
        let stored = summary.topics.reduce(0) { $0 + $1.storedBytes }
        let decoded = summary.topics.reduce(0) { $0 + $1.decodedBytes }
        facts.append(
            ("log", "\(NumberText.bytes(stored)) stored, \(NumberText.bytes(decoded)) decoded"))
        let drops = summary.topics.flatMap { topic in
            topic.drops.sorted { $0.key < $1.key }.map { "\(topic.name): \($0.value) \($0.key)" }
        }
        if !drops.isEmpty { facts.append(("dropped", drops.joined(separator: ", "))) }
        facts.append(
            ("computed by", "\(summary.kernels) kernels, OpenBLAS \(summary.openBLASCore)"))
        if let report { facts.append(("report", report)) }
        let table = TextTable(
            columns: [
                .text("stage"), .text("kind"), .number("read"), .number("written"),
                .number("rejected"), .number("rows/s"), .number("rows/s/core"),
            ],
            rows: summary.stages.map {
                [
                    $0.name, $0.kind, NumberText.count($0.rowsRead),
                    NumberText.count($0.rowsWritten), NumberText.count($0.rowsRejected),
                    rate($0.rowsPerSecond), rate($0.rowsPerSecondPerCore),
                ]
            })
        return ClosingSummary(
            title: "Done in \(NumberText.duration(seconds: summary.seconds))", facts: facts,
            stages: table
        ).text(in: TerminalWindow(1))
    }

    /// One batch, or none, has no rate.
    private static func rate(_ rowsPerSecond: Double) -> String {
        rowsPerSecond > 0 ? NumberText.compact(rowsPerSecond) : "-"
    }

    private static func training(_ stage: StageSummary) -> String? {
        guard let first = stage.training, let last = stage.lastMetrics else { return nil }
        var parts = ["\(NumberText.count(last.rows)) labelled rows"]
        if let version = stage.modelVersions.keys.max() { parts.append("version \(version)") }
        parts.append("loss \(NumberText.fixed(first.loss, 4))")
        if let accuracy = first.accuracy {
            parts.append("accuracy \(NumberText.fixed(accuracy, 4))")
        }
        if let auc = first.auc { parts.append("AUC \(NumberText.fixed(auc, 4))") }
        let pass = last.epoch == 0 ? "" : ", first of \(last.epoch + 1) passes"
        return parts.joined(separator: ", ") + " (test-then-train\(pass))"
    }

    private static func quality(_ stage: StageSummary) -> String? {
        guard let quality = stage.quality else { return nil }
        var parts = ["\(NumberText.count(stage.rowsRead)) rows"]
        let versions = stage.modelVersions.keys.sorted().map { "\($0)" }
        parts.append("model version \(versions.joined(separator: ", "))")
        if let loss = quality.logLoss { parts.append("log-loss \(NumberText.fixed(loss, 4))") }
        if let accuracy = quality.accuracy {
            parts.append("accuracy \(NumberText.fixed(accuracy, 4))")
        }
        if let auc = quality.auc { parts.append("AUC \(NumberText.fixed(auc, 4))") }
        if let rmse = quality.rmse { parts.append("RMSE \(NumberText.significant(rmse, 4))") }
        return parts.joined(separator: ", ")
    }
}
