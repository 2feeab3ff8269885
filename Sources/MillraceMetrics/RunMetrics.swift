internal import MillraceGroups
public import MillracePipeline
internal import MillraceCompute

/// What a run of a pipeline tells Prometheus.
///
/// Names, units and kinds follow Prometheus' conventions: counters end in `_total`, durations are
/// seconds, and everything begins with `millrace_`.
///
/// The page on monitoring has a table of them.
public enum RunMetrics {
    /// The text of a look at a run.
    ///
    /// - Complexity: as `PipelineRun.groups`.
    public static func text(of run: PipelineRun, version: String) -> String {
        text(stages: run.progress(), groups: run.groups().map(\.group), version: version)
    }

    static func text(
        stages: [StageProgress], groups: [GroupDescription], version: String
    ) -> String {
        var text = MetricsText()
        text.begin("millrace_build_info", .gauge, "What computes here.")
        text.add(
            "millrace_build_info",
            [
                ("version", version), ("kernels", KernelSet.best.rawValue),
                ("openblas", OpenBLAS.prepare().core),
            ], 1)
        addRows(of: stages, to: &text)
        addModels(of: stages, to: &text)
        addBatches(of: stages, to: &text)
        add(groups, to: &text)
        return text.text
    }

    private static func labels(_ stage: StageProgress) -> [(String, String)] {
        [("stage", stage.name), ("kind", stage.kind)]
    }

    private static func addRows(of stages: [StageProgress], to text: inout MetricsText) {
        text.begin("millrace_stage_state", .gauge, "1 for the state that the stage is in.")
        for stage in stages {
            for state in StageProgress.State.allCases {
                text.add(
                    "millrace_stage_state", labels(stage) + [("state", state.rawValue)],
                    stage.state == state ? 1 : 0)
            }
        }
        text.begin("millrace_stage_rows_total", .counter, "Rows that got their outcome here.")
        for stage in stages {
            text.add("millrace_stage_rows_total", labels(stage), Double(stage.rowsProcessed))
        }
        text.begin("millrace_stage_rows_done", .gauge, "Rows with their outcome, of what is owned.")
        for stage in stages {
            text.add("millrace_stage_rows_done", labels(stage), Double(stage.rowsDone))
        }
        text.begin(
            "millrace_stage_rejected_rows_total", .counter, "Rows rejected, or scored as null.")
        for stage in stages {
            text.add(
                "millrace_stage_rejected_rows_total", labels(stage), Double(stage.rejectedRows))
        }
    }

    private static func addModels(of stages: [StageProgress], to text: inout MetricsText) {
        func add(
            _ name: String, _ kind: MetricsText.Kind, _ help: String,
            _ value: (StageProgress) -> Double?
        ) {
            let found = stages.compactMap { stage in value(stage).map { (stage.name, $0) } }
            guard !found.isEmpty else { return }
            text.begin(name, kind, help)
            for (stage, value) in found { text.add(name, [("stage", stage)], value) }
        }
        add(
            "millrace_stage_refused_versions_total", .counter, "Model versions refused."
        ) { $0.kind == "score" ? Double($0.refusedVersions) : nil }
        for gauge in StageGauge.all { add(gauge.name, .gauge, gauge.help, gauge.value) }
    }

    private static func addBatches(of stages: [StageProgress], to text: inout MetricsText) {
        let name = "millrace_stage_batch_duration_seconds"
        let found = stages.compactMap { stage in stage.batches.map { (stage, $0) } }
        guard !found.isEmpty else { return }
        text.begin(name, .histogram, "From fetching a batch to its commit.")
        for (stage, batches) in found {
            var sum = 0
            for (bound, count) in zip(DurationCounts.bounds, batches.counts) {
                sum += count
                // Divided, not multiplied by 1e-9: so that bounds print as they are meant.
                let seconds = Double(bound) / 1e9
                text.add(name + "_bucket", labels(stage) + [("le", "\(seconds)")], Double(sum))
            }
            let count = Double(batches.count)
            text.add(name + "_bucket", labels(stage) + [("le", "+Inf")], count)
            text.add(name + "_sum", labels(stage), Double(batches.nanoseconds) / 1e9)
            text.add(name + "_count", labels(stage), count)
        }
    }

    private static func add(_ groups: [GroupDescription], to text: inout MetricsText) {
        guard !groups.isEmpty else { return }
        func each(
            _ name: String, _ help: String, _ value: (GroupDescription.Partition) -> UInt64?
        ) {
            text.begin(name, .gauge, help)
            for group in groups {
                for partition in group.partitions {
                    guard let value = value(partition) else { continue }
                    text.add(
                        name,
                        [
                            ("group", group.name), ("topic", partition.partition.topic),
                            ("partition", "\(partition.partition.partition)"),
                        ], Double(value))
                }
            }
        }
        each("millrace_group_lag_rows", "Rows kept and not yet committed.") { $0.lag }
        each("millrace_group_committed_offset", "The offset to read next.") { $0.committed }
        text.begin("millrace_group_members", .gauge, "Members in all processes.")
        for group in groups {
            let present = group.members.count { $0.isPresent }
            text.add("millrace_group_members", [("group", group.name)], Double(present))
        }
        text.begin("millrace_group_generation", .gauge, "Grows with every rebalance.")
        for group in groups {
            text.add(
                "millrace_group_generation", [("group", group.name)], Double(group.generation))
        }
    }
}
