import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// Names of versions, old versions and their soundness, by the command line.
@Suite struct ModelCommandTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory("millrace-models") }

    private func model(_ arguments: String...) throws -> ToolProcess.Outcome {
        try ToolProcess.run(["model"] + arguments + ["--models", directory.path])
    }

    /// Publishes versions with one weight, which is the version.
    private func publish(_ versions: Int) throws {
        let repository = ModelRepository(path: directory.path)
        for version in 1...versions {
            let layer = DenseLayer(
                inputs: 1, outputs: 1, weights: [Float(version)], bias: [0])
            let model = try Model(
                input: InputStage(identity: 1), layers: [layer], head: .identity,
                featureNames: ["x"])
            _ = try repository.publish(model, as: "delay", Publication(key: ""))
        }
    }

    @Test func namesAreMovedAndShown() throws {
        try publish(4)
        #expect(try model("promote", "delay@2").output == "delay@stable is version 2\n")
        #expect(
            try model("promote", "delay@stable", "--alias", "canary", "--json").output
                == "[\n  {\n    \"alias\" : \"canary\",\n    \"to\" : 2\n  }\n]\n")
        #expect(try model("promote", "delay@4").output == "delay@stable is version 4, was 2\n")
        let rollback = try model("rollback", "delay")
        #expect(rollback.code == 0 && rollback.output == "delay@latest is version 3, was 4\n")
        #expect(
            rollback.errorLines == [
                "note: delay@stable still names a newer version; to take it back too: "
                    + "millrace model rollback delay --alias stable"
            ])
        #expect(
            try model("rollback", "delay", "--alias", "stable").output
                == "delay@stable is version 2, was 4\n")
        let list = try #require(JSONValue(model("list", "--json").output).elements.first)
        #expect(
            list["aliases"]
                == .object(["latest": .number(3), "stable": .number(2), "canary": .number(2)]))
        #expect(list["rolledBack"] == .truth(true))
        #expect(
            try model("list").output.contains("latest 3 (rolled back), canary 2, stable 2"))
        #expect(try JSONValue(model("show", "delay").output)["version"]?.number == 3)
        #expect(
            try JSONValue(model("show", "delay@stable").output)["aliases"]
                == .array([.text("canary"), .text("stable")]))
        #expect(
            try model("promote", "delay@4").output
                == "delay@stable is version 4, was 2\ndelay@latest is version 4, was 3\n")
    }

    @Test func whatIsNotThereIsSaid() throws {
        try publish(2)
        try model("show", "dely").expectError(66, "a model 'dely' (did you mean 'delay'?)")
        try model("promote", "delay@3").expectError(66, "no 'delay@3'; versions are 1 to 2")
        try model("show", "delay@stable").expectError(66, "has no alias 'stable'")
        try model("promote", "delay@1", "--alias", "7").expectError(64, "'7' cannot be an alias")
        try model("show", "delay@").expectError(64, "NAME@7 or NAME@stable")
        try model("rollback", "delay", "--to", "9").expectError(66, "no 'delay@9'")
        try model("rollback", "delay", "--to", "1").expectOutput("delay@latest is version 1")
        try model("rollback", "delay").expectError(66, "'delay@latest' is version 1 and was no")
        try Files.writeDurably(directory.file("delay/.aliases"), [0])
        try model("show", "delay").expectError(65, "delay/.aliases", "remove the file")
    }

    /// A program that scores with a version keeps it, until it dies, however it does.
    @Test func whatARunningProgramUsesIsNotRemoved() throws {
        try publish(3)
        let data = directory.file("data")
        _ = try DataDirectory(data, create: true).topic(
            "rows", creating: TopicConfiguration(kind: .features, features: 1))
        let text = """
            topics:
              rows: {features: 1}
              scores: {predictions: true}
            stages:
              predict: {kind: score, from: rows, to: scores, model: delay@1}
            """
        try Files.writeDurably(directory.file("p.yaml"), Array(text.utf8))
        let scorer = try ToolProcess([
            "run", directory.file("p.yaml"), "--follow", "--data", data, "--models",
            directory.path,
        ])
        // It has the version once its group is there.
        let group = data + "/groups/predict"
        Patience.wait { Files.exists(group) || !scorer.isRunning }
        try #require(scorer.isRunning)
        #expect(
            try model("prune", "delay", "--keep", "1").output
                == "removed 2\nkept delay@1: in use\n")
        scorer.send(SIGKILL)
        #expect(try scorer.outcome().signal == SIGKILL)
        #expect(
            try JSONValue(model("prune", "delay", "--keep", "1", "--json").output)
                == .object(["removed": .array([.number(1)]), "kept": .array([])]))
        #expect(try model("prune", "delay", "--keep", "1").output == "nothing to remove\n")
        #expect(try model("list").output.contains("delay       3         1  latest 3"))
    }

    @Test func everyFaultIsNamed() throws {
        try publish(5)
        let sound = try model("verify", "delay")
        #expect(sound.code == 0 && sound.output == "delay: sound: 5; faults: 0\n")
        try model("promote", "delay@4").expectOutput("delay@stable is version 4")
        let weights = directory.file("delay/2/model.safetensors")
        var bytes = try Files.read(weights, maxBytes: 1 << 16)
        // The last tensor is the bias: another one predicts something else, and is no other shape.
        bytes[bytes.count - 1] = 0x41
        try Files.writeDurably(weights, bytes)
        try Files.writeDurably(directory.file("delay/3/manifest.json"), Array("{".utf8))
        try Files.removeTree(directory.file("delay/4"))
        try Files.remove(directory.file("delay/5/manifest.json"))
        let outcome = try model("verify", "delay", "--json")
        #expect(outcome.code == 65)
        let found = try JSONValue(outcome.output)
        let codes = try #require(found["versions"]).elements.map { version in
            (version["faults"]?.elements ?? []).map { $0["code"] ?? .null }
        }
        #expect(
            codes == [
                [], [.text("checksumMismatch"), .text("wrongPredictions")],
                [.text("malformedFile")], [.text("notFound")],
            ])
        #expect(found["faults"]?.elements.count == 1)
        let text = try model("verify", "delay")
        #expect(text.code == 65)
        let lines = text.output.split(separator: "\n")
        #expect(lines.count == 6 && lines.last == "delay: sound: 1; faults: 5")
        let first = try #require(lines.first)
        #expect(first.hasPrefix("fault: ") && first.contains("'stable' names version 4"))
        #expect(try model("verify", "delay@2").code == 65)
        #expect(try model("verify", "delay@1").code == 0)
        try model("verify", "delay@4").expectError(66, "no 'delay@4'")
        try model("verify", "other").expectError(66, "a model 'other'")
    }
}

extension ToolProcess.Outcome {
    /// Expects success and this as the beginning of what is printed.
    fileprivate func expectOutput(_ text: String) {
        #expect(code == 0 && output.hasPrefix(text), "\(output)\(errors)")
    }
}
