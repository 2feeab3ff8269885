internal import MillracePipeline

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
        let lines = stages.map { stage in
            "\(stage.name) \(stage.state.rawValue)"
                + (stage.modelVersion.map { ", model version \($0)" } ?? "") + "\n"
        }
        return stages.allSatisfy { $0.state != .failed }
            ? HTTPText.answer(200, "OK", lines.joined())
            : HTTPText.answer(503, "Service Unavailable", lines.joined())
    }
}
