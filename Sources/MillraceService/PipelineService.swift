public import MillracePipeline
internal import MillraceSystem
public import ServiceLifecycle

/// A run of a pipeline, scorers and trainers alike, as a service of `swift-service-lifecycle`.
///
/// ```swift
/// let run = try PipelineRun(definition, options: RunOptions(data: "data", follow: true), logger: logger)
/// let group = ServiceGroup(
///     services: [PipelineService(run)], gracefulShutdownSignals: [.sigterm], logger: logger)
/// try await group.run()
/// ```
///
/// A graceful shutdown, and a cancellation, have every slot finish its batch, commit, and give its
/// partitions away; then `run` returns. A run that reaches its end returns without being asked, which
/// ends a service group unless that is told to go on. A stage that fails ends the service with its
/// error.
///
/// **Threads**: stages have threads of their own; one more waits for them. None of those that run tasks
/// is held up.
public struct PipelineService: Service {
    private let pipeline: PipelineRun

    /// A service that runs `pipeline` once.
    public init(_ pipeline: PipelineRun) { self.pipeline = pipeline }

    /// Runs until the pipeline ends, or is asked to.
    ///
    /// - Throws: `PipelineError`: the first error of any stage, but not for having been asked to end.
    public func run() async throws {
        try await withTaskCancellationOrGracefulShutdownHandler {
            try await withCheckedThrowingContinuation { continuation in
                do throws(SystemError) {
                    _ = try PinnedThread(name: "pipeline", core: nil) {
                        continuation.resume(with: Result { try finish() })
                    }
                } catch { continuation.resume(throwing: PipelineError(wrapping: error)) }
            }
        } onCancelOrGracefulShutdown: {
            pipeline.stop()
        }
    }

    private func finish() throws(PipelineError) {
        do { try pipeline.runStages() } catch {
            guard error.code == .interrupted else { throw error }
        }
    }
}
