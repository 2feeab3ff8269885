import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// `millrace score`, on a topic and a model that a small pipeline has made.
@Suite struct ScoreCommandTests {
    private let workshop: Workshop

    init() throws {
        workshop = try Workshop(Workshop.Parts(partitions: 2))
        let outcome = try workshop.run()
        try #require(outcome.code == 0, "\(outcome.errors)")
    }

    private func score(_ arguments: String...) throws -> ToolProcess.Outcome {
        try ToolProcess.run(["score"] + arguments + ["--data", workshop.data])
    }

    /// What `consume` prints of predictions, without the time.
    private func predictions(_ topic: String) throws -> [JSONValue] {
        let outcome = try ToolProcess.run(["consume", topic, "--data", workshop.data])
        try #require(outcome.code == 0, "\(outcome.errors)")
        return try outcome.output.split(separator: "\n").map {
            guard case .object(var members) = try JSONValue(String($0)) else { return .null }
            members["timestamp"] = nil
            return .object(members)
        }
    }

    private func isThere(_ topic: String) throws -> Bool {
        try DataDirectory(workshop.data, create: false).topicNames().contains(topic)
    }

    @Test func sameAsAStage() throws {
        let report = workshop.directory.file("scores.html")
        let outcome = try score("rows", "more", "--model", "m", "--json", "--report", report)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let summary = try RunSummary(json: outcome.output)
        #expect(summary.stages.map(\.name) == ["score-more"])
        #expect(summary.stages[0].rowsRead == Workshop.rows.count)
        #expect(summary.stages[0].modelVersions == [1: Workshop.rows.count])
        #expect(summary.stages[0].quality?.auc != nil)
        #expect(summary.kernels == KernelSet.best.rawValue)
        let rows = try predictions("more")
        #expect(rows.count == Workshop.rows.count)
        #expect(try rows == predictions("scores"))
        let page = try Files.read(report, maxBytes: 1 << 24)
        #expect(String(decoding: page, as: UTF8.self).contains("Predictions of score-more"))
        // Everything has its outcome: a second time nothing is added.
        let again = try score("rows", "more", "--model", "m@1", "--until-end")
        #expect(again.code == 0 && again.output.contains("score-more scored"))
        #expect(try predictions("more") == rows)
    }

    @Test func otherKernels() throws {
        let outcome = try score("rows", "more", "--model", "m", "--kernels", "portable", "--json")
        #expect(try RunSummary(json: outcome.output).kernels == "portable")
        let topic = try DataDirectory(workshop.data, create: false).topic("more")
        var reader = try topic.reader(partition: 0)
        let batch = try reader.next()
        let id = try #require(batch?.origin?.kernelSet)
        #expect(try topic.dictionaryText(id) == "kernels:portable")
    }

    @Test func followsUntilASignal() throws {
        let process = try ToolProcess([
            "score", "rows", "more", "--model", "m@latest", "--follow", "--group", "g",
            "--data", workshop.data, "--json",
        ])
        let deadline = Clock.monotonicNanoseconds() + 60_000_000_000
        while Clock.monotonicNanoseconds() < deadline {
            PinnedThread.sleep(nanoseconds: 50_000_000)
            if try isThere("more"), try predictions("more").count == Workshop.rows.count { break }
        }
        #expect(process.isRunning)
        process.send(SIGINT)
        let outcome = try process.outcome()
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try RunSummary(json: outcome.output).stages[0].rowsRead == Workshop.rows.count)
        let group = try ToolProcess.run(
            ["group", "describe", "g", "--json", "--data", workshop.data])
        #expect(
            try JSONValue(group.output)["partitions"]?.elements.map { $0["lag"]?.number } == [0, 0])
    }

    /// Of two groups that begin at the same moment one writes the output.
    @Test func twoGroupsAtOnce() throws {
        let processes = try ["a", "b", "c"].map { group in
            try ToolProcess([
                "score", "rows", "shared", "--model", "m", "--group", group, "--share-cores",
                "--data", workshop.data,
            ])
        }
        let codes = try processes.map { try $0.outcome() }.map(\.code)
        #expect(codes.filter { $0 == 0 }.count == 1 && codes.filter { $0 == 64 }.count == 2)
        #expect(try predictions("shared").count == Workshop.rows.count)
    }

    @Test func outputsOfAnotherGroup() throws {
        try score("rows", "scores", "--model", "m").expectError(
            64, "topic 'scores' has the rows of 'rows' from group 'predict'", "as group predict")
        let before = try predictions("scores")
        #expect(try score("rows", "scores", "--model", "m", "--group", "predict").code == 0)
        #expect(try predictions("scores") == before)
    }

    /// Raw rows become features by what the model keeps: the outputs are those of the stages.
    @Test func rawRows() throws {
        let outcome = try score("raw", "direct", "--model", "m")
        #expect(outcome.code == 0, "\(outcome.errors)")
        let found = try predictions("direct").map { $0["outputs"] }
        #expect(found.count == Workshop.rows.count)
        #expect(try found == predictions("scores").map { $0["outputs"] })
    }

    @Test func refusals() throws {
        try score("rws", "more", "--model", "m").expectError(66, "'rws'", "did you mean 'rows'?")
        try score("rows", "rows", "--model", "m").expectError(64, "cannot be scored into itself")
        try score("rows", "more", "--model", "mm").expectError(66, "did you mean 'm'?")
        try score("rows", "more", "--model", "m@7").expectError(66, "m@7")
        try score("rows", "more", "--model", "m@stabel").expectError(66, "stabel")
        try score("rows", "more", "--model", "m/").expectError(64, "m/")
        try score("rows", "raw", "--model", "m").expectError(64, "raw", "holds bytes")
        try score("rows", "a/b", "--model", "m").expectError(64, "a/b")
        try score("rows", "more", "--model", "m", "--kernels", "fast").expectError(64, "fast")
        try score("rows", "more", "--model", "m", "--cores", "9999").expectError(64)
        try score("rows", "more", "--model", "m", "--report", "/nonexistent/r.html").expectError(
            73, "report")
        try ToolProcess.run(["score", "rows", "more", "--model", "m", "--data", "/nonexistent"])
            .expectError(66, "/nonexistent")
        #expect(try score("rows", "more").code == 64)
        #expect(try score("rows", "more", "--model", "m", "--follow", "--until-end").code == 64)
        #expect(try !isThere("more"))
    }

    /// Found out before the output is made, whether or not there are rows.
    @Test func otherFeatures() throws {
        let data = try DataDirectory(workshop.data, create: false)
        _ = try data.createTopic("wide", TopicConfiguration(kind: .features, features: 3))
        try score("wide", "more", "--model", "m").expectError(
            65, "model m@1 takes 2 features, topic 'wide' has 3", "trained on topic 'rows'")
        _ = try data.createTopic("one", TopicConfiguration(kind: .predictions))
        try score("rows", "one", "--model", "m").expectError(
            64, "different numbers of partitions")
        #expect(try !isThere("more"))
    }
}
