public import Logging
internal import MillraceSystem
public import MillracePipeline
internal import Synchronization

/// Answers Prometheus over HTTP while a pipeline runs.
///
/// `GET /metrics` is the text of `RunMetrics`, made anew for each request; `GET /health` is 200 while
/// no stage has failed, else 503, with a line for each stage: how far behind it is, and its model.
///
/// One thread of its own answers one request after the other, each within two seconds, and closes the
/// connection: whoever connects and says nothing keeps others waiting for that long, and cannot take
/// the files and threads that the pipeline needs. Written by hand, because a server that takes any
/// number of connections could.
///
/// **Thread-safety**: any thread.
///
/// - Source: RFC 9112, of which it is what a GET needs.
public final class MetricsServer: Sendable {
    /// Where it listens, with the port that it was given.
    public let address: ListenAddress
    private let thread: PinnedThread
    private let isClosed: Flag

    private final class Flag: Sendable {
        let isSet = Atomic(false)
    }

    /// Begins to listen, and answers from then on.
    ///
    /// - Parameters:
    ///   - version: What `millrace_build_info` says.
    ///   - logger: Where it is told, once, that connections cannot be accepted; it goes on trying.
    /// - Throws: `PipelineError` with `usage` where the host is no address, `cannotCreate` where
    ///   it cannot be listened on.
    public convenience init(
        for run: PipelineRun, on address: ListenAddress, version: String,
        logger: Logger = Logger(label: "millrace.metrics")
    ) throws(PipelineError) {
        try self.init(
            on: address, metrics: { RunMetrics.text(of: run, version: version) },
            stages: { run.health() }, logger: logger)
    }

    init(
        on address: ListenAddress, metrics: @escaping @Sendable () -> String,
        stages: @escaping @Sendable () -> [StageProgress],
        logger: Logger = Logger(label: "millrace.metrics")
    ) throws(PipelineError) {
        let isClosed = Flag()
        let answers = Answers(metrics: metrics, stages: stages)
        do throws(SystemError) {
            let socket = try ListeningSocket(host: address.host, port: address.port)
            self.address = ListenAddress(host: address.host, port: socket.port)
            let listening = Listening(socket)
            thread = try PinnedThread(name: "metrics", core: nil) {
                listening.serve(answers, until: { isClosed.isSet.load(ordering: .relaxed) }, logger)
            }
        } catch {
            guard error.operation != "getaddrinfo" else {
                throw PipelineError(
                    .usage, "'\(address.host)' is no IP address",
                    advice: "Name one of this machine and a port, such as 127.0.0.1:9464.")
            }
            throw PipelineError(
                .cannotCreate, "cannot listen on \(address): \(error.reason)",
                advice: "Name another address or port.")
        }
        self.isClosed = isClosed
    }

    /// Answers what is being asked, and closes the socket; waits for that, up to some seconds.
    public func close() {
        isClosed.isSet.store(true, ordering: .relaxed)
        thread.join()
    }

    deinit { isClosed.isSet.store(true, ordering: .relaxed) }

    /// The socket, for the thread that answers.
    private final class Listening: Sendable {
        private let socket: ListeningSocket

        init(_ socket: consuming ListeningSocket) { self.socket = socket }

        /// How long a request may take.
        private static let patience = 2000
        private static let longestRequest = 8192

        func serve(_ answers: Answers, until isClosed: () -> Bool, _ logger: Logger) {
            var hasFailed = false
            while !isClosed() {
                do throws(SystemError) {
                    guard let connection = try socket.accept(waitingMilliseconds: 100) else {
                        continue
                    }
                    hasFailed = false
                    Self.answer(connection, answers)
                } catch {
                    // Such as too many open files: it passes, or it does not.
                    if !hasFailed { logger.error("metrics cannot be asked for: \(error)") }
                    hasFailed = true
                    PinnedThread.sleep(nanoseconds: 100_000_000)
                }
            }
        }

        private static func answer(
            _ connection: borrowing ListeningSocket.Connection, _ answers: Answers
        ) {
            var request: [UInt8] = []
            let end = Clock.monotonicNanoseconds() + Int64(patience) * 1_000_000
            while request.count < longestRequest {
                if let head = HTTPText.head(of: request) {
                    _ = connection.send(answers.answer(to: head), waitingMilliseconds: patience)
                    return
                }
                let left = Int((end - Clock.monotonicNanoseconds()) / 1_000_000)
                guard left > 0, connection.receive(&request, waitingMilliseconds: left) else {
                    return
                }
            }
            _ = connection.send(
                HTTPText.answer(431, "Request Header Fields Too Large", ""),
                waitingMilliseconds: patience)
        }
    }
}
