internal import FlyingFox
internal import FlyingSocks
internal import FoundationEssentials
public import MillracePipeline

/// Answers Prometheus over HTTP while a pipeline runs.
///
/// `GET /metrics` is the text of `RunMetrics`, made anew for each request; `GET /health` is 200 while
/// no stage has failed, else 503, with a line for each stage. It runs on the concurrency runtime's
/// threads, never on a slot's.
///
/// **Thread-safety**: any thread.
public final class MetricsServer: Sendable {
    /// Where it listens, with the port that it was given.
    public let address: ListenAddress
    private let task: Task<Void, any Error>

    /// Begins to listen, and answers from then on.
    ///
    /// - Parameter version: What `millrace_build_info` says.
    /// - Throws: `PipelineError` with `usage` where the host is no address, `cannotCreate` where
    ///   it cannot be listened on.
    public static func start(
        for run: PipelineRun, on address: ListenAddress, version: String
    ) async throws(PipelineError) -> MetricsServer {
        try await start(
            on: address, metrics: { RunMetrics.text(of: run, version: version) },
            stages: { run.progress() })
    }

    static func start(
        on address: ListenAddress, metrics: @escaping @Sendable () -> String,
        stages: @escaping @Sendable () -> [StageProgress]
    ) async throws(PipelineError) -> MetricsServer {
        let server = try server(address)
        await server.appendRoute("GET /metrics") { _ in
            HTTPResponse(
                statusCode: .ok,
                headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: Data(metrics().utf8))
        }
        await server.appendRoute("GET /health") { _ in health(stages()) }
        let task = Task { try await server.run() }
        guard let bound = await listening(server, task) else {
            let reason =
                switch await task.result {
                case .failure(let error): reason(error)
                case .success: "it ended at once"
                }
            throw PipelineError(
                .cannotCreate, "cannot listen on \(address): \(reason)",
                advice: "Name another address or port.")
        }
        return MetricsServer(bound, task)
    }

    /// Where the server listens; nil when it has ended instead.
    private static func listening(
        _ server: HTTPServer, _ task: Task<Void, any Error>
    ) async -> ListenAddress? {
        let waiting = Task { try await server.waitUntilListening() }
        // Whoever waits for a server that cannot listen would wait for the whole time-out.
        let watching = Task {
            _ = await task.result
            waiting.cancel()
        }
        defer { watching.cancel() }
        do { try await waiting.value } catch { return nil }
        switch await server.listeningAddress {
        case .ip4(let host, let port), .ip6(let host, let port):
            return ListenAddress(host: host, port: port)
        case .unix, nil: return nil
        }
    }

    private init(_ address: ListenAddress, _ task: Task<Void, any Error>) {
        self.address = address
        self.task = task
    }

    /// Closes the socket; requests that are being answered are cut off.
    public func close() { task.cancel() }

    deinit { task.cancel() }

    private static func server(_ address: ListenAddress) throws(PipelineError) -> HTTPServer {
        do {
            return address.host.contains(":")
                ? HTTPServer(
                    address: try .inet6(ip6: address.host, port: address.port), timeout: 5,
                    logger: .disabled)
                : HTTPServer(
                    address: try .inet(ip4: address.host, port: address.port), timeout: 5,
                    logger: .disabled)
        } catch {
            throw PipelineError(
                .usage, "'\(address.host)' is no IP address",
                advice: "Name one and a port, such as 127.0.0.1:9464.")
        }
    }

    private static func reason(_ error: any Error) -> String {
        if case .failed(_, _, let message)? = error as? SocketError { return message }
        return "\(error)"
    }

    private static func health(_ stages: [StageProgress]) -> HTTPResponse {
        let lines = stages.map { stage in
            "\(stage.name) \(stage.state.rawValue)"
                + (stage.modelVersion.map { ", model version \($0)" } ?? "") + "\n"
        }
        let isWell = stages.allSatisfy { $0.state != .failed }
        return HTTPResponse(
            statusCode: isWell ? .ok : .serviceUnavailable,
            headers: [.contentType: "text/plain; charset=utf-8"],
            body: Data(lines.joined().utf8))
    }
}
