public import CoreMetrics
public import MillracePipeline
public import ServiceLifecycle

/// Tells the metrics backend of a host application how a run of a pipeline goes, by `swift-metrics`.
///
/// ```swift
/// let run = try PipelineRun(definition, options: options, logger: logger)
/// let group = ServiceGroup(
///     services: [PipelineMetrics(run), PipelineService(run)],
///     gracefulShutdownSignals: [.sigterm], logger: logger)
/// try await group.run()
/// ```
///
/// Labels, units and dimensions are those of `RunMetrics`, which Prometheus is told without a host:
/// counters end in `_total`, and each has the dimensions `stage` and `kind`. A service group ends its
/// services in reverse order, so that metrics that are named before the pipeline are told of its end.
///
/// The stages count by themselves; here their counts are looked at now and then, and what was added
/// since the last look is passed on. Of how long a batch took, the bound of its bucket is told: 1, 2
/// and 5 times the powers of ten.
///
/// **Threads**: none of its own; a look takes microseconds and locks nothing that a stage waits for.
public struct PipelineMetrics: Service {
    private let pipeline: PipelineRun
    private let interval: Duration
    private let factory: any MetricsFactory

    /// Metrics of `pipeline`, looked at every `interval`, for the backend of the process or for
    /// `factory`.
    public init(
        _ pipeline: PipelineRun, every interval: Duration = .seconds(5),
        factory: (any MetricsFactory)? = nil
    ) {
        self.pipeline = pipeline
        self.interval = interval
        self.factory = factory ?? MetricsSystem.factory
    }

    /// Tells until it is asked to end, and once more then.
    public func run() async {
        let (pipeline, interval, factory) = (pipeline, interval, factory)
        var recorder = await cancelWhenGracefulShutdown {
            var recorder = StageRecorder(factory)
            while !Task.isCancelled {
                recorder.record(pipeline.progress())
                do { try await Task.sleep(for: interval) } catch { break }
            }
            return recorder
        }
        recorder.record(pipeline.progress())
    }
}
