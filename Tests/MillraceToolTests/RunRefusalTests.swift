import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// What cannot work is refused with one clear error, before anything is written.
@Suite struct RunRefusalTests {
    // MARK: A new directory

    private func expectNothingWritten(
        _ workshop: Workshop, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(try workshop.content() == nil, sourceLocation: sourceLocation)
    }

    @Test func unknownColumns() throws {
        let workshop = try Workshop(Workshop.Parts(features: "[{column: dep_dly}]"))
        try workshop.run().expectError(64, "pipeline.yaml:8:", "dep_dly")
        try expectNothingWritten(workshop)
    }

    @Test func unknownKeys() throws {
        let workshop = try Workshop(Workshop.Parts(prepare: "    fitRow: 10"))
        try workshop.run().expectError(64, "pipeline.yaml:14:5: ", "fitRow", "\"fitRows\"")
        try expectNothingWritten(workshop)
    }

    @Test func missingFiles() throws {
        let workshop = try Workshop()
        try Files.remove(workshop.directory.file("rows.csv"))
        try workshop.run().expectError(66, "rows.csv")
        try expectNothingWritten(workshop)
        try Files.remove(workshop.pipeline)
        try workshop.run().expectError(66, "pipeline.yaml: ", "cannot read the pipeline file")
        try expectNothingWritten(workshop)
    }

    @Test func unknownStages() throws {
        let workshop = try Workshop()
        try workshop.run(["--stage", "lern"]).expectError(
            64, "there is no stage \"lern\"", "Did you mean \"learn\"?")
        try workshop.run(["--stage", "learn"]).expectError(
            66, "\"rows\"", "Run the stages before it first")
        try expectNothingWritten(workshop)
    }

    @Test func otherNumbersOfPartitions() throws {
        let workshop = try Workshop()
        let text = String(
            decoding: try Files.read(workshop.pipeline, maxBytes: 1 << 16), as: UTF8.self
        ).replacing("predictions: true, partitions: 1", with: "predictions: true, partitions: 2")
        try workshop.write("pipeline.yaml", Array(text.utf8))
        try workshop.run().expectError(
            64, "topics \"rows\" and \"scores\" have different numbers of partitions",
            "only so has every row exactly one outcome")
        try expectNothingWritten(workshop)
    }

    @Test(arguments: ["9999", "x", "0,0", "3-1", ""])
    func badCores(_ cores: String) throws {
        let workshop = try Workshop()
        try workshop.run(["--cores", cores]).expectError(64)
        try expectNothingWritten(workshop)
    }

    @Test func placesThatCannotBeWritten() throws {
        let workshop = try Workshop()
        let below = workshop.pipeline + "/data"
        try ToolProcess.run(["run", workshop.pipeline, "--data", below]).expectError(
            73, workshop.pipeline, "cannot create the data directory")
        for report in [workshop.pipeline + "/r.html", "/nonexistent/r.html", "/tmp"] {
            try workshop.run(["--report", report]).expectError(73, "report")
        }
        try expectNothingWritten(workshop)
    }

    @Test func optionsThatDoNotExist() throws {
        let workshop = try Workshop()
        for arguments in [["--nonsense"], ["--until-end", "--follow"], ["another"]] {
            let outcome = try workshop.run(arguments)
            #expect(outcome.code == 64)
            #expect(outcome.output == "")
            #expect(outcome.errors.hasPrefix("Error: "))
        }
        try expectNothingWritten(workshop)
    }

    // MARK: A directory with data

    /// Runs a pipeline, changes it, and expects that the next run is refused and writes nothing.
    private func expectRefusal(
        _ code: Int32, _ text: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (Workshop) throws -> Void
    ) throws {
        let workshop = try Workshop()
        let first = try workshop.run()
        try #require(first.code == 0, "\(first.errors)", sourceLocation: sourceLocation)
        try change(workshop)
        let before = try workshop.content()
        try workshop.run().expectError(code, text, sourceLocation: sourceLocation)
        let after = try workshop.content()
        #expect(after == before, sourceLocation: sourceLocation)
    }

    @Test func otherFormats() throws {
        try expectRefusal(65, "written by another version of this program") {
            try $0.write("data/format", Array("millrace data, format 1\n".utf8))
        }
    }

    @Test func otherSchemas() throws {
        try expectRefusal(65, "topic 'raw' exists with another schema") {
            try $0.write(Workshop.Parts(partitions: 2))
        }
    }

    @Test func otherFeatures() throws {
        for features in [
            "[{column: b}, {column: a, scale: standard, impute: mean}]", "[{column: a}]",
        ] {
            try expectRefusal(64, "by another definition of features") {
                try $0.write(Workshop.Parts(features: features))
            }
        }
        try expectRefusal(64, "by another definition of features") {
            try $0.write(Workshop.Parts(label: "{column: y, greaterThan: 0.5}"))
        }
    }

    @Test func otherColumns() throws {
        try expectRefusal(65, "has rows of csv with the columns a, b, y") {
            try $0.write("rows.csv", Array("b,a,y\n1,2,0\n".utf8))
        }
    }

    /// A source is found out to have changed as it is read: no row is added.
    @Test func otherFiles() throws {
        let workshop = try Workshop()
        #expect(try workshop.run().code == 0)
        var rows = Workshop.rows
        rows[20] = "6,6,0"
        let before = try topics(workshop)
        for lines in [rows, Array(Workshop.rows.dropLast()), []] {
            try workshop.write(lines)
            try workshop.run().expectError(65, "rows.csv: ", "the file is not the one")
            #expect(try topics(workshop) == before)
        }
        try workshop.write(Workshop.rows)
        #expect(try workshop.run().code == 0)
        #expect(try topics(workshop) == before)
    }

    /// The rows and batches of every topic.
    private func topics(_ workshop: Workshop) throws -> [String: [[UInt64]]] {
        let data = try DataDirectory(workshop.data, create: false)
        var ends: [String: [[UInt64]]] = [:]
        for name in try data.topicNames() {
            let topic = try data.topic(name)
            ends[name] = try (0..<topic.partitions).map { partition in
                var reader = try topic.reader(partition: partition)
                var batches: [UInt64] = []
                while true {
                    guard let batch = try reader.next() else { return batches }
                    batches.append(batch.endOffset)
                }
            }
        }
        return ends
    }

    // MARK: Two at once

    /// While one process follows, another that wants the same is sent away; afterwards it goes on.
    @Test func secondRuns() throws {
        let workshop = try Workshop(Workshop.Parts(train: ", publish: {everyRows: 16}"))
        let first = try ToolProcess(
            ["run", workshop.pipeline, "--data", workshop.data, "--follow", "--json"])
        // Every stage is at work once the last of them has its group.
        let deadline = Clock.monotonicNanoseconds() + 60_000_000_000
        let predictions = workshop.directory.file("data/groups/predict/page")
        while !Files.exists(predictions), Clock.monotonicNanoseconds() < deadline {
            PinnedThread.sleep(nanoseconds: 5_000_000)
        }
        try workshop.run(["--share-cores"]).expectError(75)
        try workshop.run(["--stage", "learn"]).expectError(75)
        #expect(first.isRunning)
        first.send(SIGTERM)
        let outcome = try first.outcome()
        #expect(outcome.code == 0, "\(outcome.errors)")
        let followed = try RunSummary(json: outcome.output)
        // Whole batches only; the rest waits for more rows, or for a run that has an end.
        #expect([16, 32, 48].contains(followed.stages[1].training?.rows))
        let after = try workshop.run(["--json"])
        #expect(after.code == 0)
        let summary = try RunSummary(json: after.output)
        #expect(summary.stages[1].training?.rows == Workshop.rows.count)
        #expect(summary.stages[2].rowsWritten == Workshop.rows.count)
    }
}
