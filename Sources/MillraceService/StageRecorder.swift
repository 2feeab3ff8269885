internal import CoreMetrics
internal import MillracePipeline

/// The instruments of a run's stages, and what they were told last.
struct StageRecorder: Sendable {
    private let factory: any MetricsFactory
    private var stages: [String: Instruments] = [:]

    init(_ factory: any MetricsFactory) { self.factory = factory }

    /// Passes on what has changed since the last look.
    mutating func record(_ progress: [StageProgress]) {
        for stage in progress {
            var instruments = stages[stage.name] ?? Instruments(stage, factory)
            instruments.record(stage, factory)
            stages[stage.name] = instruments
        }
    }
}

/// The instruments of one stage.
private struct Instruments: Sendable {
    private let dimensions: [(String, String)]
    private let rows: Counter
    private let rejected: Counter
    private let refused: Counter
    private let rowsDone: Meter
    private let batches: Timer
    /// What is only there for some stages, made when it first is.
    private var others: [String: Meter] = [:]
    /// What was told last.
    private var last: StageProgress

    init(_ stage: StageProgress, _ factory: any MetricsFactory) {
        let dimensions = [("stage", stage.name), ("kind", stage.kind)]
        self.dimensions = dimensions
        func counter(_ label: String) -> Counter {
            Counter(label: label, dimensions: dimensions, factory: factory)
        }
        rows = counter("millrace_stage_rows_total")
        rejected = counter("millrace_stage_rejected_rows_total")
        refused = counter("millrace_stage_refused_versions_total")
        rowsDone = Meter(
            label: "millrace_stage_rows_done", dimensions: dimensions, factory: factory)
        batches = Timer(
            label: "millrace_stage_batch_duration_seconds", dimensions: dimensions,
            factory: factory)
        last = StageProgress(name: stage.name, kind: stage.kind)
    }

    mutating func record(_ stage: StageProgress, _ factory: any MetricsFactory) {
        add(stage.rowsProcessed - last.rowsProcessed, to: rows)
        add(stage.rejectedRows - last.rejectedRows, to: rejected)
        add(stage.refusedVersions - last.refusedVersions, to: refused)
        rowsDone.set(stage.rowsDone)
        set("millrace_stage_lag_rows", stage.lagRows.map(Double.init), factory)
        for gauge in StageGauge.all { set(gauge.name, gauge.value(stage), factory) }
        time(stage.batches)
        last = stage
    }

    /// A stage that goes back to a checkpoint takes rows back; a counter only grows.
    private func add(_ count: Int, to counter: Counter) {
        if count > 0 { counter.increment(by: count) }
    }

    private mutating func set(
        _ label: String, _ value: Double?, _ factory: any MetricsFactory
    ) {
        guard let value else { return }
        let meter =
            others[label] ?? Meter(label: label, dimensions: dimensions, factory: factory)
        others[label] = meter
        meter.set(value)
    }

    /// Tells of each batch since the last look that it took as long as the bound of its bucket.
    private func time(_ durations: DurationCounts?) {
        guard let durations else { return }
        for (bucket, count) in durations.counts.enumerated() {
            let before = last.batches?.counts[bucket] ?? 0
            let bound = DurationCounts.bounds[min(bucket, DurationCounts.bounds.count - 1)]
            for _ in 0..<max(count - before, 0) { batches.recordNanoseconds(bound) }
        }
    }
}
