import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// What scripts may rely on: exit codes, streams and the names of fields.
@Suite struct CommandLineTests {
    /// A directory in which the small pipeline has run.
    private static let finished = Result {
        let workshop = try Workshop(lines: Workshop.rows + ["1,2,1", "x,2,1"])
        let outcome = try workshop.run(["--json", "--report", workshop.directory.file("r.html")])
        return (workshop, outcome)
    }

    private func tool(_ arguments: String...) throws -> ToolProcess.Outcome {
        let (workshop, _) = try Self.finished.get()
        return try ToolProcess.run(arguments, environment: ["MILLRACE_DATA=\(workshop.data)"])
    }

    @Test func versionAndHelp() throws {
        let version = try tool("--version")
        #expect(version.code == 0)
        #expect(version.output == MillraceVersion.current + "\n")
        for command in [
            ["--help"], ["run", "--help"], ["topic", "--help"], ["topic", "list", "--help"],
            ["topic", "describe", "--help"], ["topic", "create", "--help"],
            ["topic", "alter", "--help"], ["topic", "delete", "--help"],
            ["topic", "verify", "--help"], ["score", "--help"], ["produce", "--help"],
            ["group", "list", "--help"], ["group", "describe", "--help"],
            ["consume", "--help"], ["top", "--help"], ["model", "list", "--help"],
            ["model", "show", "--help"], ["model", "promote", "--help"],
            ["model", "rollback", "--help"], ["model", "prune", "--help"],
            ["model", "verify", "--help"], ["model", "predict", "--help"],
            ["model", "quantize", "--help"], ["doctor", "--help"],
        ] {
            let help = try ToolProcess.run(command)
            #expect(help.code == 0)
            #expect(help.errors == "")
            #expect(help.output.contains("USAGE: millrace"))
            if command.count > 1, command != ["topic", "--help"] {
                #expect(help.output.contains("Example: millrace"), "\(command)")
            }
        }
    }

    @Test(arguments: [
        ["--nonsense"], ["nonsense"], ["run"], ["run", "--nonsense"], ["topic", "list", "x"],
        ["topic", "create", "x"], ["topic", "create", "x", "--bytes", "--features", "2"],
        ["topic", "create", "x", "--bytes", "--label"], ["topic", "alter", "x"],
        ["topic", "create", "x", "--bytes", "--flush", "often"], ["topic", "delete"],
        ["topic", "verify", "x", "--bytes"], ["topic", "verify"],
        ["consume"], ["consume", "rows", "--max", "many"], ["model", "show"], ["doctor", "x"],
        ["model", "prune", "m"], ["model", "prune", "m", "--keep", "0"], ["model", "promote"],
        ["model", "rollback"], ["model", "predict", "m"], ["model", "verify"],
        ["model", "quantize", "m"], ["model", "quantize", "m", "--precision", "bf16"],
    ])
    func usage(_ arguments: [String]) throws {
        let outcome = try ToolProcess.run(arguments)
        #expect(outcome.code == 64)
        #expect(outcome.output == "")
        #expect(outcome.errors != "")
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func completions(_ shell: String) throws {
        let script = try ToolProcess.run(["--generate-completion-script", shell])
        #expect(script.code == 0 && script.errors == "")
        for word in ["quantize", "--durability", "--retention-hold-bytes", "roundRobin"] {
            let plain = word.drop { $0 == "-" }
            #expect(script.output.contains(plain), "\(word)")
        }
    }

    // MARK: Run

    @Test func runAsJSON() throws {
        let (workshop, outcome) = try Self.finished.get()
        #expect(outcome.code == 0, "\(outcome.errors)")
        let summary = try JSONValue(outcome.output)
        #expect(
            summary.names == ["seconds", "topics", "stages", "kernels", "openBLASCore"])
        let topics = try #require(summary["topics"]).elements
        #expect(topics.map { $0["name"] } == ["raw", "rows", "scores"].map(JSONValue.text))
        for topic in topics {
            #expect(
                topic.names == [
                    "name", "kind", "partitions", "columns", "rows", "labelledRows", "batches",
                    "storedBytes", "decodedBytes", "drops",
                ])
        }
        let stages = try #require(summary["stages"]).elements
        #expect(stages.map { $0["kind"] } == ["preprocess", "train", "score"].map(JSONValue.text))
        for stage in stages {
            #expect(
                stage.names.isSuperset(of: [
                    "name", "kind", "cores", "rowsRead", "rowsWritten", "rowsRejected",
                    "activeSeconds", "rowsPerSecond", "rowsPerSecondPerCore", "modelVersions",
                ]))
        }
        #expect(stages[0]["rowsRead"]?.number == 62)
        #expect(stages[0]["rowsRejected"]?.number == 1)
        #expect(stages[1]["modelVersions"]?["1"]?.number == 61)
        #expect(stages[1]["training"]?["loss"]?.number != nil)
        #expect(stages[2]["quality"]?["auc"]?.number != nil)
        let report = try Files.read(workshop.directory.file("r.html"), maxBytes: 1 << 24)
        #expect(String(decoding: report, as: UTF8.self).contains("AUC over the stream"))
    }

    @Test func runAsText() throws {
        let (workshop, _) = try Self.finished.get()
        let outcome = try workshop.run()
        #expect(outcome.code == 0)
        #expect(outcome.errors == "")
        #expect(outcome.output.hasPrefix("Done in "))
        #expect(outcome.output.contains("rows: 1 not-a-number"))
        #expect(!outcome.output.contains("\u{1B}"))
        #expect(outcome.output.split(separator: "\n").allSatisfy { $0.count <= 120 })
    }

    // MARK: Consume

    private func rows(_ outcome: ToolProcess.Outcome) throws -> [JSONValue] {
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.errors == "")
        return try outcome.output.split(separator: "\n").map { try JSONValue(String($0)) }
    }

    @Test func consumeBytes() throws {
        let rows = try rows(tool("consume", "raw"))
        #expect(rows.count == 62)
        #expect(rows[0].names == ["partition", "offset", "timestamp", "value"])
        #expect(rows[61]["value"] == .text("x,2,1"))
        #expect(rows.map { $0["offset"]?.number } == (0..<62).map(Double.init))
    }

    @Test func consumeFeatures() throws {
        let rows = try rows(tool("consume", "rows", "--offset", "3", "--max", "2"))
        #expect(rows.count == 2)
        #expect(rows[0].names == ["partition", "offset", "timestamp", "features", "label"])
        #expect(rows[0]["offset"]?.number == 3)
        #expect(rows[0]["features"] == .array([.number(3), .number(9)]))
        #expect(rows[0]["label"]?.number == 1)
    }

    @Test func consumePredictions() throws {
        let rows = try rows(tool("consume", "scores", "--partition", "0"))
        #expect(rows.count == 61)
        for (index, row) in rows.enumerated() {
            #expect(
                row.names == ["partition", "offset", "timestamp", "outputs", "model", "source"])
            #expect(row["model"] == .text("m@1"))
            #expect(row["outputs"]?.elements.count == 1)
            #expect(
                row["source"]
                    == .object([
                        "topic": .text("rows"), "partition": .number(0),
                        "offset": .number(Double(index)),
                    ]))
        }
    }

    @Test func consumeWhatIsNotThere() throws {
        try tool("consume", "nothing").expectError(66, "nothing")
        try tool("consume", "raw", "--partition", "7").expectError(66, "7")
        try tool("consume", "raw", "--offset", "63").expectError(65, "63")
        try ToolProcess.run(["consume", "raw", "--data", "/nonexistent"]).expectError(66, "--data")
    }

    /// A reader that has seen enough is no failure.
    @Test func consumeIntoAClosedPipe() throws {
        let workshop = try Workshop(lines: (0..<20_000).map { "\($0 % 7),\($0 % 11),\($0 % 2)" })
        #expect(try workshop.run().code == 0)
        let command = """
            "$0" consume raw --data "$1" | head -n 1; echo "${PIPESTATUS[0]}"
            """
        let outcome = try ToolProcess(
            ["-c", command, ToolProcess.executable, workshop.data], program: "/bin/bash"
        ).outcome()
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.last == "0")
        #expect(outcome.errors == "")
    }

    // MARK: Topics, models, machine

    @Test func topics() throws {
        let list = try JSONValue(tool("topic", "list", "--json").output).elements
        #expect(
            list.map { $0["name"] }
                == ["learn.metrics", "raw", "rows", "scores"].map(JSONValue.text))
        let names: Set = [
            "name", "kind", "partitions", "features", "label", "dtype", "codec", "filter", "flush",
            "segmentBytes", "retention", "endOffsets", "status",
        ]
        #expect(list.allSatisfy { $0.names == names })
        #expect(list[2]["features"]?.number == 2)
        #expect(list[2]["endOffsets"] == .array([.number(61)]))
        #expect(try JSONValue(tool("topic", "describe", "rows", "--json").output) == list[2])
        #expect(try tool("topic", "list").output.contains("learn.metrics"))
        try tool("topic", "describe", "nothing").expectError(66, "nothing")
        try ToolProcess.run(["topic", "list", "--data", "/nonexistent"]).expectError(66)
    }

    @Test func models() throws {
        let list = try JSONValue(tool("model", "list", "--json").output)
        let entry: [String: JSONValue] = [
            "name": .text("m"), "versions": .array([.number(1)]),
            "aliases": .object(["latest": .number(1)]), "rolledBack": .truth(false),
        ]
        #expect(list == .array([.object(entry)]))
        let newest = try JSONValue(tool("model", "show", "m").output)
        #expect(newest["version"]?.number == 1)
        #expect(newest["name"] == .text("m"))
        #expect(newest.names.isSuperset(of: ["architecture", "features", "labels", "weights"]))
        #expect(newest["aliases"] == .array([.text("latest")]))
        #expect(try JSONValue(tool("model", "show", "m@1", "--json").output) == newest)
        for name in ["m@2", "m@x", "other"] { try tool("model", "show", name).expectError(66) }
    }

    @Test func doctor() throws {
        let outcome = try tool("doctor", "--json")
        #expect(outcome.code == 0)
        let found = try JSONValue(outcome.output)
        #expect(
            found.names.subtracting(["bfloat16Fallback"]) == [
                "cores", "kernels", "availableKernels", "openBLASCore", "openBLASCorrected",
                "openBLASSlow", "openBLASConfiguration", "precisions",
            ])
        #expect(try #require(found["cores"]).elements.isEmpty == false)
        #expect(try tool("doctor").output.contains("OpenBLAS"))
    }
}
