import MillraceSystem
import MillraceTestSupport
import Testing

/// Models from ONNX files and into them, by the command line.
@Suite struct ModelExchangeTests {
    private static let fixtures = SharedData.root + "/Tests/MillraceONNXTests/Fixtures"

    @Test func aModelIsImportedExportedAndImportedAgain() throws {
        let directory = try TemporaryDirectory()
        let models = ["--models", directory.file("models")]
        let file = directory.file("again.onnx")
        let first = try ToolProcess.run(
            ["model", "import", Self.fixtures + "/mlp-multi-standard.onnx", "--name", "m"] + models)
        #expect(first.code == 0 && first.output == "m@1\n", "\(first.errors)")
        let export = try ToolProcess.run(["model", "export", "m@1", file] + models)
        #expect(export.code == 0, "\(export.errors)")
        let second = try ToolProcess.run(["model", "import", file, "--name", "m"] + models)
        #expect(second.code == 0 && second.output == "m@2\n", "\(second.errors)")
        let weights = try [1, 2].map {
            try Files.read(directory.file("models/m/\($0)/model.safetensors"), maxBytes: 1 << 20)
        }
        #expect(weights[0] == weights[1])
    }

    @Test func aSafetensorsFileIsImportedWithWhatItDoesNotSay() throws {
        let directory = try TemporaryDirectory()
        let place = ["--name", "m", "--models", directory.file("models")]
        let file = SharedData.root + "/Tests/MillraceModelsTests/Safetensors/sequential.safetensors"
        func run(_ options: String...) throws -> ToolProcess.Outcome {
            try ToolProcess.run(["model", "import", file] + options + place)
        }
        let first = try run(
            "--activation", "tanh", "--head", "softmax", "--labels", "a,b,c", "--features",
            "v,w,x,y,z")
        #expect(first.code == 0 && first.output == "m@1\n", "\(first.errors)")
        let shown = try ToolProcess.run(
            ["model", "show", "m", "--models", directory.file("models")])
        let manifest = try JSONValue(shown.output)
        #expect(manifest["labels"]?.elements == [.text("a"), .text("b"), .text("c")])
        #expect(manifest["features"]?.elements.count == 5)
        #expect(manifest["architecture"]?["activation"] == .text("tanh"))
        #expect(try run().code == 64)
        #expect(try run("--head", "softmx").code == 64)
        try run("--head", "softmax").expectError(65, "3 layers", "relu, ")
        try run("--head", "sigmoid", "--activation", "relu").expectError(65, "does not go with 3")
        let onnx = try ToolProcess.run(
            ["model", "import", Self.fixtures + "/mlp-multi-standard.onnx", "--head", "softmax"]
                + place)
        #expect(onnx.code == 64)
    }

    @Test func whatCannotBeImportedIsSaid() throws {
        let directory = try TemporaryDirectory()
        let models = ["--name", "m", "--models", directory.file("models")]
        let refused = try ToolProcess.run(
            ["model", "import", Self.fixtures + "/refused-slope.onnx"] + models)
        #expect(refused.code == 65)
        #expect(refused.errors.contains("node '/1/Activation' (LeakyRelu): a slope of 0.2"))
        let missing = try ToolProcess.run(
            ["model", "import", directory.file("no.onnx")] + models)
        #expect(missing.code == 66)
        #expect(!Files.exists(directory.file("models/m")))
    }
}
