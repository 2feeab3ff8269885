import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// The page `GettingStarted.md`: its commands, one after the other, with its files.
///
/// With `MILLRACE_PYTHON` naming a Python that has scikit-learn and skl2onnx (the versions of
/// Tests/MillraceONNXTests/Fixtures/requirements.txt) the model is the page's, else one of its shape.
@Suite struct GettingStartedTests {
    private struct Command {
        let text: String
        /// What the page says behind it.
        let remark: String
    }

    private let directory: TemporaryDirectory
    private let page: String

    init() throws {
        directory = try TemporaryDirectory("millrace-start")
        let path = SharedData.root + "/Sources/Millrace/Millrace.docc/GettingStarted.md"
        page = String(decoding: try Files.read(path, maxBytes: 1 << 20), as: UTF8.self)
    }

    /// The page's file in a language.
    private func example(_ language: String) throws -> String {
        let rest = try #require(page.split(separator: "```\(language)\n").dropFirst().first)
        return String(try #require(rest.split(separator: "```").first))
    }

    private func write(_ name: String, _ bytes: [UInt8]) throws {
        try Files.writeDurably(directory.file(name), bytes)
    }

    /// The tool's commands behind the building, in the page's order.
    private var commands: [Command] {
        page.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("    millrace ") || line.hasPrefix("    head ") else {
                return nil
            }
            let parts = line.dropFirst(4).split(separator: "  ", maxSplits: 1)
            let remark = parts.dropFirst().joined().drop { $0 == " " }
            return Command(text: String(parts[0]), remark: String(remark))
        }
    }

    /// Runs a command in the directory, as a user's shell does; returns what it prints.
    private func shell(_ command: String) throws -> String {
        let tool = Files.parent(of: ToolProcess.executable)
        let script = "cd '\(directory.path)'; HOME=.; PATH='\(tool)':$PATH; \(command)"
        let outcome = try ToolProcess(["-c", script], program: "/bin/sh").outcome()
        try #require(outcome.code == 0, "\(command): \(outcome.errors)")
        return outcome.output
    }

    private func makeModel() throws {
        if let python = Environment.text("MILLRACE_PYTHON") {
            try write("train.py", Array(example("python").utf8))
            _ = try shell("'\(python)' train.py")
            return
        }
        let weights = (0..<640).map { Float($0 % 7) / 100 }
        let layer = DenseLayer(
            inputs: 64, outputs: 10, weights: weights, bias: [Float](repeating: 0, count: 10))
        let model = try Model(input: InputStage(identity: 64), layers: [layer], head: .softmax)
        try write("digits.onnx", model.onnx())
    }

    @Test func everyCommandDoesWhatThePageSays() throws {
        _ = try shell("ln -s '\(SharedData.root)/models' models")
        try write("digits-score.yaml", Array(example("yaml").utf8))
        try makeModel()
        #expect(commands.count == 14)
        for command in commands {
            let output = try shell(command.text)
            if command.text.contains("model import") { #expect(output == "digits@1\n") }
            let number = command.remark.prefix { $0.isNumber }
            if !number.isEmpty { #expect(output == String(number) + "\n", "\(command.text)") }
        }
        #expect(try shell("wc -l < scores.csv") == "1798\n")
        #expect(try shell("millrace consume digits.scores | wc -l") == "1797\n")
        #expect(try shell("test -s digits.html && test -s own.onnx && echo yes") == "yes\n")
    }
}
