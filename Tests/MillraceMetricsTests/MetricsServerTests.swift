import MillracePipeline
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceMetrics

@Suite(.timeLimit(.minutes(1))) struct MetricsServerTests {
    private static func server(
        _ host: String = "127.0.0.1", port: UInt16 = 0, state: StageProgress.State = .running
    ) throws(PipelineError) -> MetricsServer {
        try MetricsServer(
            on: ListenAddress(host: host, port: port), metrics: { "metrics \(state)\n" },
            stages: { [StageProgress(name: "s", kind: "score", state: state, modelVersion: 3)] })
    }

    /// Alive, caught up, and how old the model is; the clock of another host may have published it.
    @Test(arguments: [(1_000, "34 s old"), (1_040, "0 s old")])
    func healthOfAStage(created: Int, age: String) {
        let stage = StageProgress(
            name: "s", kind: "score", state: .running, lagRows: 12, modelVersion: 3,
            modelCreated: created)
        let answers = Answers(metrics: { "" }, stages: { [stage] }, now: { 1_034 })
        let text = String(
            decoding: answers.answer(to: "GET /health HTTP/1.1"), as: UTF8.self)
        #expect(text.hasSuffix("\r\n\r\ns running, 12 rows behind, model version 3, \(age)\n"))
    }

    @Test func answersWhatIsAsked() throws {
        let server = try Self.server()
        let port = server.address.port
        #expect(port != 0 && server.address.host == "127.0.0.1")
        for _ in 0..<3 {
            let answer = try HTTPGet.from(port: port, "/metrics")
            #expect(answer.status == 200 && answer.body == "metrics running\n")
            #expect(answer.fields["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
        }
        #expect(try HTTPGet.from(port: port, "/health").status == 200)
        #expect(try HTTPGet.from(port: port, "/").status == 404)
        server.close()
    }

    @Test func aFailedStageIsNotWell() throws {
        let server = try Self.server(state: .failed)
        let answer = try HTTPGet.from(port: server.address.port, "/health")
        #expect(answer.status == 503 && answer.body == "s failed, model version 3\n")
        server.close()
    }

    @Test func aPortThatIsTakenIsRefused() throws {
        let first = try Self.server()
        let error = #expect(throws: PipelineError.self) {
            try Self.server(port: first.address.port)
        }
        #expect(error?.code == .cannotCreate)
        #expect(error?.message.contains("127.0.0.1:\(first.address.port)") == true)
        #expect(error?.message.contains("in use") == true, "\(error?.message ?? "")")
        first.close()
        let other = #expect(throws: PipelineError.self) { try Self.server("300.0.0.1") }
        #expect(other?.code == .usage)
    }

    @Test func addresses() {
        let read = ListenAddress(parsing: "127.0.0.1:9464")
        #expect(read == ListenAddress(host: "127.0.0.1", port: 9464))
        #expect(ListenAddress(parsing: "localhost:0")?.description == "127.0.0.1:0")
        #expect(ListenAddress(parsing: "[::1]:80")?.description == "[::1]:80")
        for text in [
            "", ":1", "1", "a", "a:", "a:65536", "a:-1", "::1:80", "[a]:1", "[::1]", "a:b", "a:+1",
            "a:1 ",
        ] {
            #expect(ListenAddress(parsing: text) == nil, "\(text)")
        }
    }

    /// Whoever connects and says nothing, or too much, keeps nobody from asking, and takes no files.
    @Test func idleAndEndlessConnections() throws {
        let server = try Self.server()
        let port = server.address.port
        let before = try Files.list("/proc/self/fd").count
        let idle = try (0..<12).map { _ in try HTTPGet.Client(port: port) }
        #expect(try Files.list("/proc/self/fd").count <= before + 12 + 8)
        for client in idle.dropFirst(2) { client.close() }
        #expect(try HTTPGet.from(port: port, "/metrics").status == 200)
        let endless = try HTTPGet.Client(port: port)
        try endless.send(Array("GET /metrics HTTP/1.1\r\n".utf8))
        for _ in 0..<200 { try? endless.send([UInt8](repeating: 97, count: 100)) }
        #expect(try HTTPGet.from(port: port, "/health").status == 200)
        server.close()
        #expect(throws: SystemError.self) { try HTTPGet.from(port: port, "/metrics") }
    }

    @Test(arguments: [
        ("GET /metrics HTTP/1.0", 200), ("GET /metrics?x=1 HTTP/1.1", 200),
        ("POST /metrics HTTP/1.1", 405), ("GET  HTTP/1.1", 400), ("nonsense", 400),
        ("GET /metrics HTTP/2", 400), ("", 400), ("GET /../metrics HTTP/1.1", 404),
    ]) func requests(head: String, status: Int) throws {
        let server = try Self.server()
        let client = try HTTPGet.Client(port: server.address.port)
        try client.send(Array((head + "\r\n\r\n").utf8))
        #expect(try client.answer().status == status)
        server.close()
    }
}
