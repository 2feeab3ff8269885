internal import MillraceReport

/// Lays out what was read back from the topics as a page.
struct RunReport {
    let findings: RunFindings
    let definition: PipelineDefinition
    private var summary: RunSummary { findings.summary }

    init(findings: RunFindings, definition: PipelineDefinition) {
        self.findings = findings
        self.definition = definition
    }

    func document() -> ReportDocument {
        let name = definition.file?.split(separator: "/").last.map(String.init) ?? "Pipeline"
        return ReportDocument(
            title: name,
            subtitle: "Every number on this page was read back from the topics.",
            facts: facts(),
            sections: quality() + training() + [flow(), topics()],
            footer: "Computed with kernel set \(summary.kernels), OpenBLAS core "
                + "\(summary.openBLASCore). Wall time \(NumberText.duration(seconds: summary.seconds))."
        )
    }

    private func facts() -> [ReportDocument.Fact] {
        var facts: [ReportDocument.Fact] = []
        if let first = summary.stages.first {
            facts.append(
                .init("Rows read", NumberText.count(first.rowsRead), note: "by \(first.name)"))
        }
        for stage in summary.stages {
            guard let quality = stage.quality else { continue }
            if let auc = quality.auc {
                facts.append(.init("AUC", NumberText.fixed(auc, 4), note: stage.name))
            }
            if let loss = quality.logLoss {
                facts.append(.init("Log-loss", NumberText.fixed(loss, 4), note: stage.name))
            }
            if let accuracy = quality.accuracy {
                facts.append(.init("Accuracy", NumberText.percent(accuracy), note: stage.name))
            }
            if let rmse = quality.rmse {
                facts.append(.init("RMSE", NumberText.significant(rmse, 4), note: stage.name))
            }
            facts.append(
                .init(
                    "Scored", NumberText.count(stage.rowsRead),
                    note: "\(NumberText.count(quality.rows)) labelled"))
        }
        // A preprocess stage's rejected rows are among the drops of its topics.
        let rejected =
            summary.topics.reduce(0) { $0 + $1.rejectedRows }
            + summary.stages.reduce(0) { $1.kind == "preprocess" ? $0 : $0 + $1.rowsRejected }
        facts.append(.init("Rejected", NumberText.count(rejected), note: "rows"))
        return facts
    }

    // MARK: Quality of predictions

    private func quality() -> [ReportDocument.Section] {
        summary.stages.compactMap { stage in
            guard let quality = stage.quality, let judge = findings.judges[stage.name] else {
                return nil
            }
            var plots: [Plot] = []
            if quality.auc != nil { plots = [roc(judge), calibration(judge)] }
            var tables = [versions(stage)]
            if let confusion = quality.confusion { tables.append(table(confusion, quality)) }
            return ReportDocument.Section(
                "Predictions of \(stage.name)",
                prose: "\(NumberText.count(quality.rows)) of \(NumberText.count(stage.rowsRead)) "
                    + "scored rows have a label; the figures are of those.",
                plots: plots, tables: tables)
        }
    }

    private func roc(_ judge: PredictionJudge) -> Plot {
        Plot(
            "ROC curve", xAxis: Axis("false positive rate", range: 0...1),
            yAxis: Axis("true positive rate", range: 0...1),
            series: [
                Series("model", judge.roc()),
                Series("chance", [(0, 0), (1, 1)], style: .reference),
            ], aspect: .square)
    }

    private func calibration(_ judge: PredictionJudge) -> Plot {
        let points = judge.calibration.filter { $0.rows > 0 }.map {
            ($0.sum / Double($0.rows), Double($0.positives) / Double($0.rows))
        }
        return Plot(
            "Calibration", caption: "Of rows predicted at x, the share y was positive.",
            xAxis: Axis("predicted probability", range: 0...1),
            yAxis: Axis("observed share", range: 0...1),
            series: [
                Series("model", points),
                Series("ideal", [(0, 0), (1, 1)], style: .reference),
            ], aspect: .square)
    }

    private func versions(_ stage: StageSummary) -> Table {
        Table(
            caption: "Rows by model version",
            columns: [.number("Version"), .number("Rows")],
            rows: stage.modelVersions.sorted { $0.key < $1.key }.map {
                ["\($0.key)", NumberText.count($0.value)]
            })
    }

    private func table(_ confusion: [[Int]], _ quality: PredictionQuality) -> Table {
        let names = quality.classes ?? confusion.indices.map(String.init)
        return Table(
            caption: "Confusion: true class (rows), predicted class (columns)",
            columns: [Table.Column("True")] + names.map { .number($0) },
            rows: confusion.enumerated().map { index, counts in
                [names[index]] + counts.map { NumberText.count($0) }
            })
    }

    // MARK: Training

    private func training() -> [ReportDocument.Section] {
        summary.stages.compactMap { stage in
            guard let records = findings.records[stage.name], let last = records.last else {
                return nil
            }
            var plots = [
                curve("Loss over the stream", "loss", records, \.loss, \.windowLoss)
            ]
            if last.auc != nil {
                plots.append(curve("AUC over the stream", "AUC", records, \.auc, \.windowAUC))
            } else if last.accuracy != nil {
                plots.append(
                    curve(
                        "Accuracy over the stream", "accuracy", records, \.accuracy,
                        \.windowAccuracy))
            }
            return ReportDocument.Section(
                "Training of \(stage.name)",
                prose: "Test-then-train: each row was predicted before it was learnt from"
                    + (last.epoch == 0 ? ". " : "; later passes see rows that are known. ")
                    + "\(NumberText.count(last.rows)) labelled rows in "
                    + "\(NumberText.count(last.steps)) steps, \(last.epoch + 1) "
                    + "\(last.epoch == 0 ? "pass" : "passes").",
                plots: plots)
        }
    }

    private func curve(
        _ title: String, _ measure: String, _ records: [MetricsRecord],
        _ life: KeyPath<MetricsRecord, Double>, _ window: KeyPath<MetricsRecord, Double>
    ) -> Plot {
        curve(title, measure, records, { $0[keyPath: life] }, { $0[keyPath: window] })
    }

    private func curve(
        _ title: String, _ measure: String, _ records: [MetricsRecord],
        _ life: KeyPath<MetricsRecord, Double?>, _ window: KeyPath<MetricsRecord, Double?>
    ) -> Plot {
        curve(title, measure, records, { $0[keyPath: life] }, { $0[keyPath: window] })
    }

    private func curve(
        _ title: String, _ measure: String, _ records: [MetricsRecord],
        _ life: (MetricsRecord) -> Double?, _ window: (MetricsRecord) -> Double?
    ) -> Plot {
        func points(_ value: (MetricsRecord) -> Double?) -> [(Double, Double)] {
            records.map { (Double($0.rows), value($0) ?? .nan) }
        }
        return Plot(
            title, xAxis: Axis("labelled rows learnt from", unit: "rows"), yAxis: Axis(measure),
            series: [
                Series("since the last point", points(window)), Series("whole life", points(life)),
            ],
            markers: records.compactMap { record in
                record.version.map { Plot.Marker(Double(record.rows), "v\($0)") }
            })
    }

    // MARK: Flow

    private func flow() -> ReportDocument.Section {
        ReportDocument.Section(
            "Flow", prose: "Rates and lag come from the times at which batches were appended.",
            plots: [throughput(), lag()], tables: [stages()])
    }

    /// Times at which rates and lags are shown, nanoseconds since 1970.
    private func sampleTimes(_ count: Int) -> [Int64] {
        let all = Array(findings.timelines.values) + Array(findings.published.values)
        let times = all.compactMap(\.events.first?.time) + all.compactMap(\.events.last?.time)
        guard let first = times.min(), let last = times.max(), last > first else { return [] }
        return (0...count).map { first + (last - first) * Int64($0) / Int64(count) }
    }

    private func seconds(_ time: Int64, since first: Int64) -> Double {
        Double(time - first) / 1e9
    }

    private func throughput() -> Plot {
        let times = sampleTimes(100)
        let series = summary.stages.compactMap { stage -> Series? in
            guard let timeline = findings.timelines[stage.name], let first = times.first else {
                return nil
            }
            let done = timeline.cumulative(at: times)
            let points = zip(zip(times, times.dropFirst()), zip(done, done.dropFirst())).map {
                span, rows in
                let length = Double(span.1 - span.0) / 1e9
                return (seconds(span.1, since: first), Double(rows.1 - rows.0) / length)
            }
            return Series(stage.name, points, style: .step)
        }
        return Plot(
            "Throughput by stage", xAxis: Axis("time since the first batch", unit: "s"),
            yAxis: Axis("rows per second", includesZero: true), series: series)
    }

    private func lag() -> Plot {
        let times = sampleTimes(200)
        let series = summary.stages.compactMap { stage -> Series? in
            guard let input = definition.stage(named: stage.name)?.input.name,
                let published = findings.published[input],
                let timeline = findings.timelines[stage.name], let first = times.first
            else { return nil }
            // A trainer that makes several passes is not behind by the rows it visits again.
            let done = timeline.cumulative(at: times)
            let points = zip(zip(times, published.cumulative(at: times)), done).map {
                (seconds($0.0, since: first), Double(max(0, $0.1 - $1)))
            }
            return Series(stage.name, points, style: .step)
        }
        return Plot(
            "Lag by stage", caption: "Rows published to the stage's input and not yet worked on.",
            xAxis: Axis("time since the first batch", unit: "s"),
            yAxis: Axis("rows behind", includesZero: true), series: series)
    }

    private func stages() -> Table {
        Table(
            caption: "Stages",
            columns: [
                Table.Column("Stage"), Table.Column("Kind"), Table.Column("Cores"),
                .number("Rows read"), .number("Rows written"), .number("Rejected"),
                .number("Active", unit: "s"), .number("Rows/s"), .number("Rows/s per core"),
            ],
            rows: summary.stages.map { stage in
                [
                    stage.name, stage.kind, stage.cores.map(String.init).joined(separator: ", "),
                    NumberText.count(stage.rowsRead), NumberText.count(stage.rowsWritten),
                    NumberText.count(stage.rowsRejected), NumberText.fixed(stage.activeSeconds, 2),
                    NumberText.compact(stage.rowsPerSecond),
                    NumberText.compact(stage.rowsPerSecondPerCore),
                ]
            })
    }

    private func topics() -> ReportDocument.Section {
        let rows = Table(
            caption: "Topics",
            columns: [
                Table.Column("Topic"), Table.Column("Kind"), .number("Partitions"),
                .number("Columns"), .number("Rows"), .number("Labelled"), .number("Batches"),
                .number("Stored"), .number("Decoded"),
            ],
            rows: summary.topics.map { topic in
                [
                    topic.name, topic.kind, "\(topic.partitions)", "\(topic.columns)",
                    NumberText.count(topic.rows), NumberText.count(topic.labelledRows),
                    NumberText.count(topic.batches), NumberText.bytes(topic.storedBytes),
                    NumberText.bytes(topic.decodedBytes),
                ]
            })
        let drops = Table(
            caption: "Source rows without output, by reason",
            columns: [Table.Column("Topic"), Table.Column("Reason"), .number("Rows")],
            rows: summary.topics.flatMap { topic in
                topic.drops.sorted { $0.key < $1.key }.map {
                    [topic.name, $0.key, NumberText.count($0.value)]
                }
            })
        return ReportDocument.Section(
            "Topics", tables: drops.rows.isEmpty ? [rows] : [rows, drops])
    }
}
