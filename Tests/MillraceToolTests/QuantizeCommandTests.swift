import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// `model quantize`, and scoring in what a version was calibrated for.
@Suite struct QuantizeCommandTests {
    private let workshop: Workshop

    init() throws {
        workshop = try Workshop()
        let outcome = try workshop.run()
        try #require(outcome.code == 0, "\(outcome.errors)")
    }

    private func tool(_ arguments: String...) throws -> ToolProcess.Outcome {
        try ToolProcess.run(arguments + ["--data", workshop.data])
    }

    private var file: String { workshop.data + "/models/m/1/precisions.json" }

    private func rows() throws -> String {
        let lines = ["a,b"] + (0..<40).map { "\($0 % 7),\($0 % 11)" }
        try workshop.write("some.csv", Array(lines.map { $0 + "\n" }.joined().utf8))
        return workshop.directory.file("some.csv")
    }

    @Test func calibratedOnATopicAndShown() throws {
        let shown = try JSONValue(tool("model", "show", "m").output)
        #expect(shown["precisions"] == .array([]))
        let outcome = try tool(
            "model", "quantize", "m", "--precision", "bf16", "--calibrate", "rows", "--json")
        #expect(outcome.code == 0, "\(outcome.errors)")
        let measured = try JSONValue(outcome.output)
        #expect(measured["rows"]?.number == Double(Workshop.rows.count))
        #expect(measured["precision"] == .text("bfloat16"))
        #expect(measured["source"] == .text("topic rows"))
        let largest = try #require(measured["maximumError"]?.number)
        #expect(largest > 0 && largest < 0.05)
        let after = try JSONValue(tool("model", "show", "m@1").output)
        let found = try #require(after["precisions"]?.elements.first)
        for name in ["maximumError", "meanError", "goldenError", "bound", "rows", "created"] {
            #expect(found[name] == measured[name] && found[name] != nil, "\(name)")
        }
        let isHere = Precision.bfloat16.isAvailable
        #expect(found["scoredHereIn"] == .text(isHere ? "bfloat16" : "float32"))
        #expect((found["fallback"] == nil) == isHere)
        #expect(after["version"]?.number == 1 && after["aliases"] == shown["aliases"])
        #expect(try tool("model", "verify", "m").code == 0)
    }

    @Test func calibratedOnAFile() throws {
        let outcome = try tool(
            "model", "quantize", "m@1", "--precision", "bfloat16", "--from", rows(), "--rows",
            "25")
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.hasPrefix("m@1 in bfloat16: largest difference "))
        #expect(outcome.output.contains(" on 25 rows; "))
    }

    @Test func anExceededBoundIsRefused() throws {
        try tool(
            "model", "quantize", "m", "--precision", "bf16", "--calibrate", "rows", "--bound",
            "1e-9"
        ).expectError(65, "m@1 in bfloat16: the largest error is", "nothing was recorded")
        #expect(!Files.exists(file))
    }

    @Test func scoredInItOrSaidSo() throws {
        try tool("score", "rows", "more", "--model", "m", "--precision", "bf16").expectError(
            65, "model m@1 is not calibrated for bfloat16", "millrace model quantize m@1")
        #expect(
            try !DataDirectory(workshop.data, create: false).topicNames().contains("more"))
        let file = try rows()
        try tool("model", "predict", "m", "--from", file, "--precision", "bf16").expectError(
            65, "m@1 is not calibrated for bfloat16")
        #expect(
            try tool(
                "model", "quantize", "m", "--precision", "bf16", "--calibrate", "rows"
            ).code == 0)
        let outcome = try tool(
            "score", "rows", "more", "--model", "m", "--precision", "bfloat16", "--json")
        #expect(outcome.code == 0, "\(outcome.errors)")
        let stage = try #require(RunSummary(json: outcome.output).stages.first)
        let isHere = Precision.bfloat16.isAvailable
        #expect(stage.precision == (isHere ? .bfloat16 : .float32))
        #expect((stage.precisionFallback == nil) == isHere)
        #expect(
            outcome.errors.contains("'m' is scored in float32, not bfloat16: ") == !isHere,
            "\(outcome.errors)")
        let kernels = Precision.bfloat16.kernelName(.best)
        #expect(try RunSummary(json: outcome.output).kernels == kernels)
        let topic = try DataDirectory(workshop.data, create: false).topic("more")
        var reader = try topic.reader(partition: 0)
        let batch = try reader.next()
        let id = try #require(batch?.origin?.kernelSet)
        #expect(try topic.dictionaryText(id) == "kernels:" + kernels)
        let text = try tool("score", "rows", "other", "--model", "m", "--precision", "bf16")
        #expect(
            text.output.contains("float32, not as asked for: ") == !isHere, "\(text.output)")
        let predicted = try tool("model", "predict", "m", "--from", file, "--precision", "bf16")
        #expect(predicted.code == 0 && predicted.output.split(separator: "\n").count == 41)
        #expect(
            predicted.errors.contains("note: predicted in float32, not bfloat16: ") == !isHere)
    }

    /// What a run trains cannot have been calibrated when it is taken up.
    @Test func versionsOfTheSameRun() throws {
        var text = String(
            decoding: try Files.read(workshop.pipeline, maxBytes: 1 << 16), as: UTF8.self)
        text = text.replacing("model: m, after: learn}", with: "model: m, precision: bfloat16}")
        try workshop.write("pipeline.yaml", Array(text.utf8))
        try workshop.run().expectError(
            65, "stage 'predict' scores in bfloat16 with versions of 'm' that this run trains")
    }

    @Test func refusals() throws {
        let quantize = ["model", "quantize", "m", "--data", workshop.data]
        func run(_ more: String...) throws -> ToolProcess.Outcome {
            try ToolProcess.run(quantize + more)
        }
        try run("--precision", "int4", "--calibrate", "rows").expectError(64, "no precision 'int4'")
        try run("--precision", "float32", "--calibrate", "rows").expectError(64, "float32")
        try run("--precision", "bf16", "--calibrate", "rws").expectError(66, "'rows'")
        try run("--precision", "bf16", "--calibrate", "raw").expectError(65, "'raw' has bytes")
        try run("--precision", "bf16", "--from", "/nonexistent").expectError(66, "/nonexistent")
        #expect(try run("--precision", "bf16").code == 64)
        #expect(try run("--precision", "bf16", "--from", "a", "--calibrate", "b").code == 64)
        #expect(try run("--precision", "bf16", "--from", "a", "--bound", "-1").code == 64)
        #expect(try run("--precision", "bf16", "--from", "a", "--rows", "0").code == 64)
        try tool("model", "quantize", "n", "--precision", "bf16", "--calibrate", "rows")
            .expectError(66, "'n'")
        try tool("score", "rows", "more", "--model", "m", "--precision", "int8").expectError(
            65, "model m@1 is not calibrated for int8")
        #expect(!Files.exists(file))
    }

    @Test func theDoctorSaysWhatThereIs() throws {
        let found = try JSONValue(ToolProcess.run(["doctor", "--json"]).output)
        let isHere = Precision.bfloat16.isAvailable
        #expect(found["precisions"]?.elements.contains(.text("bfloat16")) == isHere)
        #expect((found["bfloat16Fallback"] == nil) == isHere)
        let bytesAreHere = Precision.int8.isAvailable
        #expect(found["precisions"]?.elements.contains(.text("int8")) == bytesAreHere)
        #expect((found["int8Fallback"] == nil) == bytesAreHere)
        let text = try ToolProcess.run(["doctor"]).output
        #expect(text.contains("precisions   float32"))
        #expect(text.contains("bfloat16, where it is asked for, is scored in float32: ") == !isHere)
        #expect(
            text.contains("int8, where it is asked for, is scored in float32: ") == !bytesAreHere)
    }

    /// The processor's instructions can be taken away, and it is said.
    @Test(arguments: ["none", "amx", "avx51"])
    func withoutTheProcessorsOwn(chosen: String) throws {
        let found = try JSONValue(
            ToolProcess.run(["doctor", "--json"], environment: ["MILLRACE_REDUCED=\(chosen)"])
                .output)
        guard case .text(let reason)? = found["int8Fallback"] else {
            Issue.record("int8 is said to be here")
            return
        }
        #expect(reason.hasPrefix("MILLRACE_REDUCED is '\(chosen)'"))
    }

    @Test func int8IsCalibratedShownAndScored() throws {
        let quantized = try tool(
            "model", "quantize", "m", "--precision", "int8", "--calibrate", "rows", "--json")
        #expect(quantized.code == 0, "\(quantized.errors)")
        let measured = try JSONValue(quantized.output)
        #expect(measured["precision"] == .text("int8") && measured["ranges"] == nil)
        #expect(try #require(measured["maximumError"]?.number) < 0.05)
        let shown = try JSONValue(tool("model", "show", "m@1").output)
        #expect(shown["precisions"]?.elements.first?["meanError"] == measured["meanError"])
        let outcome = try tool(
            "score", "rows", "more", "--model", "m", "--precision", "int8", "--json")
        #expect(outcome.code == 0, "\(outcome.errors)")
        let summary = try RunSummary(json: outcome.output)
        let isHere = Precision.int8.isAvailable
        #expect(summary.stages.first?.precision == (isHere ? .int8 : .float32))
        #expect(summary.kernels == Precision.int8.kernelName(.best))
        #expect(outcome.errors.contains("'m' is scored in float32, not int8: ") == !isHere)
        #expect(try tool("model", "verify", "m").code == 0)
    }
}
