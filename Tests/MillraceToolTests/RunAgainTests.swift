import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// Runs on data that is there already: nothing is done twice, and what is new is done.
@Suite struct RunAgainTests {
    private func summary(_ workshop: Workshop, _ more: String...) throws -> RunSummary {
        let outcome = try workshop.run(more + ["--json"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.errors == "")
        return try RunSummary(json: outcome.output)
    }

    @Test func finishedRunsChangeNothing() throws {
        let workshop = try Workshop()
        let first = try summary(workshop)
        let second = try summary(workshop)
        #expect(first.topics == second.topics)
        for (before, after) in zip(first.stages, second.stages) {
            #expect(before.modelVersions == after.modelVersions)
            #expect(before.training == after.training)
            #expect(before.quality == after.quality)
        }
        #expect(first.stages[1].modelVersions == [1: 60])
    }

    @Test func grownFilesAreLearntFrom() throws {
        let workshop = try Workshop(lines: Array(Workshop.rows[..<40]))
        #expect(try summary(workshop).stages[2].modelVersions == [1: 40])
        try workshop.write(Workshop.rows)
        let grown = try summary(workshop)
        #expect(grown.topics.map(\.rows) == [60, 60, 60])
        #expect(grown.stages[0].rowsRead == 60)
        #expect(grown.stages[1].training?.rows == 60)
        #expect(grown.stages[1].modelVersions == [1: 40, 2: 60])
        #expect(grown.stages[2].modelVersions == [1: 40, 2: 20])
    }

    /// The last version belongs to a record also where the rows end at a point of the metrics.
    @Test func versionsAtTheEndOfAWindow() throws {
        let workshop = try Workshop(
            lines: (0..<2048).map { "\($0 % 7),\($0 * $0 % 11),\($0 % 2)" })
        let found = try summary(workshop)
        #expect(found.stages[1].modelVersions == [1: 2048])
        #expect(found.stages[1].lastMetrics?.version == 1)
    }

    /// The state after a death right behind the checkpoint: the version that belongs to it was not
    /// published, and what the trainer had to say was not said.
    @Test func checkpointsCompleteWhatTheyPromise() throws {
        let workshop = try Workshop()
        let whole = try summary(workshop)
        let weights = workshop.data + "/models/m/1/model.safetensors"
        let first = try Files.read(weights, maxBytes: 1 << 20)
        for lost in ["/models/m/1", "/topics/learn.metrics", "/topics/scores"] {
            try Files.removeTree(workshop.data + lost)
        }
        let resumed = try summary(workshop)
        // A number that was taken is not given again.
        #expect(resumed.stages[1].modelVersions == [2: 60])
        #expect(resumed.stages[2].modelVersions == [2: 60])
        let second = workshop.data + "/models/m/2/model.safetensors"
        #expect(try Files.read(second, maxBytes: 1 << 20) == first)
        var stages = (whole.stages, resumed.stages)
        for index in stages.0.indices {
            stages.0[index].forgetTimesAndVersions()
            stages.1[index].forgetTimesAndVersions()
        }
        #expect(stages.0 == stages.1)
    }

    /// Stages run alone go on where the whole run was, which is at the end.
    @Test func stagesOneByOne() throws {
        let workshop = try Workshop()
        let whole = try summary(workshop)
        for stage in ["prepare", "learn", "predict"] {
            let part = try summary(workshop, "--stage", stage)
            #expect(part.topics == whole.topics, "\(stage)")
            #expect(part.stages.map(\.modelVersions) == whole.stages.map(\.modelVersions))
        }
    }

    /// Where lines go is settled when a file is begun: partitions that come later get none of it.
    @Test func partitionsAddedLater() throws {
        let lines = (0..<10_000).map { "\($0 % 7),\($0 * $0 % 11),\($0 % 2)" }
        let workshop = try Workshop(lines: lines)
        func definePartitions(_ count: Int) throws {
            let text = """
                topics:
                  raw: {bytes: true, partitions: \(count)}
                  rows: {features: prepare, partitions: \(count)}
                sources:
                  - {file: rows.csv, to: raw}
                stages:
                  prepare: {kind: preprocess, from: raw, to: rows, features: [{column: a}]}
                """
            try workshop.write("pipeline.yaml", Array(text.utf8))
        }
        try definePartitions(2)
        #expect(try summary(workshop).topics.map(\.rows) == [10_000, 10_000])
        for topic in ["raw", "rows"] {
            let outcome = try ToolProcess.run([
                "topic", "alter", topic, "--partitions", "3", "--data", workshop.data,
            ])
            #expect(outcome.code == 0, "\(outcome.errors)")
        }
        try workshop.write(lines + Workshop.rows)
        try definePartitions(3)
        #expect(try summary(workshop).topics.map(\.rows) == [10_060, 10_060])
    }

    /// The same file in another spelling is not another file.
    @Test func spellingsOfAFile() throws {
        let workshop = try Workshop()
        let first = try summary(workshop)
        let text = String(
            decoding: try Files.read(workshop.pipeline, maxBytes: 1 << 16), as: UTF8.self)
        let spelled = text.replacing("file: rows.csv", with: "file: .//./rows.csv")
        #expect(spelled != text)
        try workshop.write("pipeline.yaml", Array(spelled.utf8))
        #expect(try summary(workshop).topics == first.topics)
    }

    /// A stage under another name would write every row again.
    @Test(arguments: [("prepare", "rows", "raw"), ("predict", "scores", "rows")])
    func renamedStages(stage: String, output: String, source: String) throws {
        let workshop = try Workshop()
        let first = try summary(workshop)
        let text = String(
            decoding: try Files.read(workshop.pipeline, maxBytes: 1 << 16), as: UTF8.self)
        let renamed = text.replacing(stage + ":", with: "other:")
            .replacing("features: \(stage)", with: "features: other")
        try workshop.write("pipeline.yaml", Array(renamed.utf8))
        try workshop.run().expectError(
            64, "topic '\(output)' has the rows of '\(source)' from group '\(stage)'",
            "group: \(stage)", "pipeline.yaml:")
        let again = renamed.replacing("other:\n", with: "other:\n    group: \(stage)\n")
            .replacing("other: {", with: "other: {group: \(stage), ")
        try workshop.write("pipeline.yaml", Array(again.utf8))
        #expect(try summary(workshop).topics == first.topics)
    }

    /// Two stages that change names would write every row again, each into the other's topic.
    @Test func swappedStages() throws {
        let workshop = try Workshop()
        _ = try summary(workshop)
        func define(_ first: String, _ second: String) throws {
            let text = """
                topics:
                  rows: {features: 2, label: true}
                  one: {predictions: true}
                  two: {predictions: true}
                stages:
                  \(first): {kind: score, from: rows, to: one, model: m}
                  \(second): {kind: score, from: rows, to: two, model: m}
                """
            try workshop.write("pipeline.yaml", Array(text.utf8))
        }
        try define("a", "b")
        let before = try summary(workshop).topics
        try define("b", "a")
        try workshop.run().expectError(64, "topic 'one' has the rows of 'rows' from group 'a'")
        try define("a", "b")
        #expect(try summary(workshop).topics == before)
    }

    /// The environment says what computes, wherever nothing else does.
    @Test func kernelsOfTheEnvironment() throws {
        let workshop = try Workshop()
        func run(_ kernels: String) throws -> ToolProcess.Outcome {
            try ToolProcess.run(
                ["run", workshop.pipeline, "--data", workshop.data, "--json"],
                environment: ["MILLRACE_KERNELS=\(kernels)"])
        }
        try run("sse9").expectError(64, "sse9", "MILLRACE_KERNELS")
        #expect(!Files.exists(workshop.data))
        let outcome = try run("portable")
        #expect(outcome.code == 0, "\(outcome.errors)")
        let summary = try RunSummary(json: outcome.output)
        #expect(summary.kernels == "portable")
        let topic = try DataDirectory(workshop.data, create: false).topic("scores")
        var reader = try topic.reader(partition: 0)
        let origin = try #require(try reader.next()?.origin)
        #expect(try topic.dictionaryText(origin.kernelSet) == "kernels:portable")
        let manifest = try ModelRepository(path: workshop.data + "/models").manifest(
            "m", version: 1)
        #expect(manifest.kernels == "portable")
    }
}
