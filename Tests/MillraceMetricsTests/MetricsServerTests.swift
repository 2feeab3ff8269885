import MillracePipeline
import MillraceTestSupport
import Testing

@testable import MillraceMetrics

@Suite(.timeLimit(.minutes(1))) struct MetricsServerTests {
    private static func server(
        _ host: String = "127.0.0.1", port: UInt16 = 0, state: StageProgress.State = .running
    ) async throws(PipelineError) -> MetricsServer {
        try await MetricsServer.start(
            on: ListenAddress(host: host, port: port), metrics: { "metrics \(state)\n" },
            stages: { [StageProgress(name: "s", kind: "score", state: state, modelVersion: 3)] })
    }

    @Test func answersWhatIsAsked() async throws {
        let server = try await Self.server()
        let port = server.address.port
        #expect(port != 0 && server.address.host == "127.0.0.1")
        for _ in 0..<3 {
            let answer = try await HTTPGet.answer(port: port, "/metrics")
            #expect(answer.status == 200 && answer.body == "metrics running\n")
            #expect(answer.fields["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
        }
        #expect(try await HTTPGet.answer(port: port, "/health").status == 200)
        #expect(try await HTTPGet.answer(port: port, "/").status == 404)
        server.close()
    }

    @Test func aFailedStageIsNotWell() async throws {
        let server = try await Self.server(state: .failed)
        let answer = try await HTTPGet.answer(port: server.address.port, "/health")
        #expect(answer.status == 503 && answer.body == "s failed, model version 3\n")
        server.close()
    }

    @Test func aPortThatIsTakenIsRefused() async throws {
        let first = try await Self.server()
        let error = await #expect(throws: PipelineError.self) {
            try await Self.server(port: first.address.port)
        }
        #expect(error?.code == .cannotCreate)
        #expect(error?.message.contains("127.0.0.1:\(first.address.port)") == true)
        #expect(error?.message.contains("in use") == true, "\(error?.message ?? "")")
        first.close()
        let other = await #expect(throws: PipelineError.self) { try await Self.server("300.0.0.1") }
        #expect(other?.code == .usage)
    }

    @Test func addresses() {
        let read = ListenAddress(parsing: "127.0.0.1:9464")
        #expect(read == ListenAddress(host: "127.0.0.1", port: 9464))
        #expect(ListenAddress(parsing: "localhost:0")?.description == "127.0.0.1:0")
        #expect(ListenAddress(parsing: "[::1]:80")?.description == "[::1]:80")
        for text in [
            "", ":1", "1", "a", "a:", "a:65536", "a:-1", "::1:80", "[a]:1", "[::1]", "a:b",
        ] {
            #expect(ListenAddress(parsing: text) == nil, "\(text)")
        }
    }
}
