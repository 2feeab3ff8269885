internal import ArgumentParser
internal import Dispatch
internal import Logging
internal import Millrace
internal import MillraceMetrics
internal import MillraceSystem

/// Where a command that runs stages serves metrics.
struct MetricsOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Serve metrics for Prometheus at http://HOST:PORT/metrics while it runs, and /health. \
            HOST is an IP address of this machine; nobody is asked who they are.
            """, valueName: "host:port"))
    var metricsListen: String?

    func validate() throws {
        if let metricsListen, ListenAddress(parsing: metricsListen) == nil {
            throw ValidationError(
                "--metrics-listen is HOST:PORT, such as 127.0.0.1:9464, not '\(metricsListen)'")
        }
    }

    /// The server that was asked for; nil for none.
    ///
    /// The calling thread waits until it listens: not one of those that the server runs on.
    func serve(_ run: PipelineRun, _ logger: Logger) throws -> MetricsServer? {
        guard let metricsListen, let address = ListenAddress(parsing: metricsListen) else {
            return nil
        }
        let outcome = Lock<Result<MetricsServer, PipelineError>?>(nil)
        let isThere = DispatchSemaphore(value: 0)
        Task {
            let result: Result<MetricsServer, PipelineError>
            do throws(PipelineError) {
                result = .success(
                    try await MetricsServer.start(
                        for: run, on: address, version: MillraceVersion.current))
            } catch { result = .failure(error) }
            outcome.withLock { $0 = result }
            isThere.signal()
        }
        isThere.wait()
        guard let server = try outcome.withLock({ $0 })?.get() else { return nil }
        logger.notice("metrics at http://\(server.address)/metrics")
        return server
    }
}
