import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

/// `--metrics-listen`, asked from outside while a run goes on.
@Suite(.timeLimit(.minutes(5))) struct MetricsListenTests {
    @Test func aScorerThatFollowsIsWatched() throws {
        let workshop = try Workshop(Workshop.Parts(partitions: 2))
        let outcome = try workshop.run()
        try #require(outcome.code == 0, "\(outcome.errors)")
        let process = try ToolProcess([
            "score", "rows", "more", "--model", "m", "--data", workshop.data, "--follow",
            "--metrics-listen", "127.0.0.1:0",
        ])
        let notice = "metrics at http://127.0.0.1:"
        var said = ""
        try Patience.wait {
            said = try process.errorsSoFar()
            return said.contains("/metrics\n")
        }
        let digits = try #require(said.split(separator: notice).last).prefix { $0.isNumber }
        let port = try #require(UInt16(digits), "\(said)")
        let stage = "stage=\"score-more\""
        let wanted = [
            "millrace_stage_state{\(stage),kind=\"score\",state=\"running\"} 1\n",
            "millrace_stage_rows_total{\(stage),kind=\"score\"} \(Workshop.rows.count)\n",
            "millrace_stage_model_version{\(stage)} 1\n",
            "millrace_stage_batch_duration_seconds_count{\(stage),kind=\"score\"} ",
            "millrace_group_lag_rows{group=\"score-more\",topic=\"rows\",partition=\"1\"} 0\n",
            "millrace_group_members{group=\"score-more\"} ",
        ]
        var text = ""
        try Patience.wait {
            text = try HTTPGet.from(port: port, "/metrics").body
            return wanted.allSatisfy(text.contains)
        }
        for part in wanted { #expect(text.contains(part), "\(part) in\n\(text)") }
        let health = try HTTPGet.from(port: port, "/health")
        #expect(health.status == 200)
        let line = try #require(
            health.body.wholeMatch(
                of: /score-more running, 0 rows behind, model version 1, (\d+) s old\n/),
            "\(health.body)")
        #expect(try #require(Int(line.1)) < 600)
        process.send(SIGTERM)
        #expect(try process.outcome().code == 0)
    }

    @Test func whatCannotBeListenedOn() throws {
        let workshop = try Workshop()
        for (address, code) in [("nowhere", Int32(64)), ("a.b:1", 64), ("1.2.3.4:1", 73)] {
            let outcome = try workshop.run(["--metrics-listen", address])
            #expect(outcome.code == code, "\(outcome.errors)")
            #expect(outcome.errors.contains(address.prefix { $0 != ":" }), "\(outcome.errors)")
            #expect(!Files.exists(workshop.data))
        }
    }
}
