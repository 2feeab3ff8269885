internal import ArgumentParser
internal import Logging
internal import Millrace
internal import MillraceMetrics

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
    func serve(_ run: PipelineRun, _ logger: Logger) throws(PipelineError) -> MetricsServer? {
        guard let metricsListen, let address = ListenAddress(parsing: metricsListen) else {
            return nil
        }
        let server = try MetricsServer(
            for: run, on: address, version: MillraceVersion.current, logger: logger)
        logger.notice("metrics at http://\(server.address)/metrics")
        return server
    }
}
