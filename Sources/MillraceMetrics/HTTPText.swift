internal import MillracePipeline
internal import MillraceSystem

/// The texts of HTTP/1.1 that a GET needs.
enum HTTPText {
    /// The first line of a request whose header is whole; nil before that.
    static func head(of request: [UInt8]) -> String? {
        let text = String(decoding: request, as: UTF8.self)
        guard text.contains("\r\n\r\n") || text.contains("\n\n") else { return nil }
        return text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
    }

    /// An answer, after which the connection is closed.
    static func answer(
        _ status: Int, _ reason: String, _ body: String, type: String = "text/plain"
    ) -> [UInt8] {
        let body = Array(body.utf8)
        let head = """
            HTTP/1.1 \(status) \(reason)\r
            Content-Type: \(type); charset=utf-8\r
            Content-Length: \(body.count)\r
            Connection: close\r
            \r

            """
        return Array(head.utf8) + body
    }
}

/// What is answered to which request.
struct Answers: Sendable {
    let metrics: @Sendable () -> String
    let stages: @Sendable () -> [StageProgress]
    /// The time in seconds since 1970.
    var now: @Sendable () -> Int = { Int(Clock.wallNanoseconds() / 1_000_000_000) }

    func answer(to head: String) -> [UInt8] {
        let words = head.split(separator: " ")
        guard words.count == 3, words[2].hasPrefix("HTTP/1.") else {
            return HTTPText.answer(400, "Bad Request", "")
        }
        guard words[0] == "GET" else {
            return HTTPText.answer(405, "Method Not Allowed", "GET alone is answered\n")
        }
        switch words[1].prefix(while: { $0 != "?" }) {
        case "/metrics":
            return HTTPText.answer(200, "OK", metrics(), type: "text/plain; version=0.0.4")
        case "/health": return health()
        default: return HTTPText.answer(404, "Not Found", "/metrics and /health are here\n")
        }
    }

    private func health() -> [UInt8] {
        let stages = stages()
        let lines = stages.map { Self.line($0, at: now()) }
        return stages.allSatisfy { $0.state != .failed }
            ? HTTPText.answer(200, "OK", lines.joined())
            : HTTPText.answer(503, "Service Unavailable", lines.joined())
    }

    /// Such as `predict running, 0 rows behind, model version 7, 34 s old`.
    private static func line(_ stage: StageProgress, at now: Int) -> String {
        var parts = ["\(stage.name) \(stage.state.rawValue)"]
        if let lag = stage.lagRows { parts.append("\(lag) rows behind") }
        if let version = stage.modelVersion { parts.append("model version \(version)") }
        if let created = stage.modelCreated {
            parts.append("\(max(0, now.subtracting(clamped: created))) s old")
        }
        return parts.joined(separator: ", ") + "\n"
    }
}
