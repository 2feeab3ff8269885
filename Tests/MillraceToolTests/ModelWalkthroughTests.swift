import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// The page `Models.md`, step by step: a model of scikit-learn's scores a topic, is replaced by one
/// that the stream trained while the scorer runs, and that one goes out as ONNX.
@Suite struct ModelWalkthroughTests {
    private static let fixture =
        SharedData.root + "/Tests/MillraceONNXTests/Fixtures/logistic-binary-standard"
    private static let script = SharedData.root + "/Tests/MillraceToolTests/walkthrough.py"
    private static let names = (0..<6).map { "x\($0)" }

    private let directory: TemporaryDirectory
    private let places: [String]

    init() throws {
        directory = try TemporaryDirectory("millrace-walkthrough")
        places = ["--data", directory.file("data"), "--models", directory.file("models")]
    }

    private func tool(_ arguments: String...) throws -> String {
        let outcome = try ToolProcess.run(arguments + places)
        try #require(outcome.code == 0, "\(arguments): \(outcome.errors)")
        return outcome.output
    }

    private func write(_ name: String, _ text: String) throws -> String {
        try Files.writeDurably(directory.file(name), Array(text.utf8))
        return directory.file(name)
    }

    /// What scikit-learn's model was shown, and what ONNX Runtime gave for it.
    private static func reference() throws -> (rows: [[String]], outputs: [[Double]]) {
        let text = try Files.read(fixture + ".txt", maxBytes: 1 << 20)
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        let words = lines.map { $0.split(separator: " ").map(String.init) }
        let start = try #require(words.firstIndex { $0[0] == "outputs" })
        return (
            Array(words[1..<start]),
            words[(start + 1)...].prefix(start - 1).map { $0.compactMap { Double($0) } }
        )
    }

    /// A file of rows with labels, and the pipeline that makes features of it.
    private func ingest(_ name: String, _ rows: [[String]]) throws {
        let lines = rows.map { row in
            // The stream's label is another than scikit-learn's: its model learns something else.
            (row + [row[0].hasPrefix("-") ? "0" : "1"]).joined(separator: ",")
        }
        let head = (Self.names + ["y"]).joined(separator: ",")
        _ = try write(name + ".csv", ([head] + lines).joined(separator: "\n") + "\n")
        let features = Self.names.map { "{column: \($0)}" }.joined(separator: ", ")
        let pipeline = try write(
            name + ".yaml",
            """
            topics:
              raw: {bytes: true}
              rows: {features: prepare, label: true}
            sources:
              - {file: \(name).csv, to: raw}
            stages:
              prepare:
                kind: preprocess
                from: raw
                to: rows
                label: {column: y, greaterThan: 0}
                features: [\(features)]
            """)
        _ = try tool("run", pipeline, "--share-cores")
    }

    /// Rows of the predictions topic once there are `count`.
    private func scores(_ count: Int) throws -> [JSONValue] {
        for _ in 0..<3000 {
            let outcome = try ToolProcess.run(["consume", "scores"] + places)
            let rows = try outcome.output.split(separator: "\n").map { try JSONValue(String($0)) }
            if rows.count >= count { return rows }
            usleep(10_000)
        }
        Issue.record("\(count) rows are never scored")
        return []
    }

    private func expect(_ rows: ArraySlice<JSONValue>, _ outputs: [[Double]], by model: String) {
        #expect(rows.count == outputs.count)
        for (row, wanted) in zip(rows, outputs) {
            let found = row["outputs"]?.elements.first?.number ?? .nan
            let probability = wanted[1]
            #expect(abs(found - probability) <= 1e-5 * max(1, abs(probability)), "\(row)")
            #expect(row["model"] == .text(model))
        }
    }

    @Test func fromScikitLearnToTheStreamAndOut() throws {
        let (rows, outputs) = try Self.reference()
        #expect(rows.count == 24 && outputs.count == 24)
        try ingest("first", rows)
        // 1: scikit-learn's model, checked, scores the topic.
        #expect(try tool("model", "import", Self.fixture + ".onnx", "--name", "m") == "m@1\n")
        #expect(try tool("model", "promote", "m@1") == "m@stable is version 1\n")
        #expect(try tool("model", "verify", "m").hasSuffix("faults: 0\n"))
        let pipeline = try write(
            "score.yaml",
            """
            topics:
              rows: {features: 6, label: true}
              scores: {predictions: true}
            stages:
              predict: {kind: score, from: rows, to: scores, model: m}
            """)
        let scorer = try ToolProcess(["run", pipeline, "--follow", "--share-cores"] + places)
        try expect(scores(24)[...], outputs, by: "m@1")
        // 2: the stream trains another one, which the running scorer takes.
        _ = try tool(
            "train", "rows", "--model", "m", "--linear", "logistic", "--epochs", "40", "--batch",
            "8", "--rate", "0.05", "--share-cores")
        #expect(try JSONValue(tool("model", "show", "m"))["version"]?.number == 2)
        usleep(500_000)
        try ingest("second", rows)
        let all = try scores(48)
        // 3: it goes out as ONNX; what is read back predicts what was scored.
        let file = directory.file("m.onnx")
        _ = try tool("model", "export", "m@2", file)
        let exported = try Model(onnx: Files.read(file, maxBytes: 1 << 20))
        let again = PreparedModel(exported).predict(rows.flatMap { $0.compactMap { Float($0) } })
        try #require(again.count == 24)
        expect(all[24...], again.map { [1 - Double($0), Double($0)] }, by: "m@2")
        // It has learnt from the stream: the first feature's sign.
        let right = zip(rows, again).filter { ($0[0].hasPrefix("-") ? 0 : 1) == ($1 > 0.5 ? 1 : 0) }
        #expect(right.count >= 22)
        let input = try write(
            "rows.csv", ([Self.names] + rows).map { $0.joined(separator: ",") + "\n" }.joined())
        let predicted = try tool("model", "predict", "m@2", "--from", input, "--json")
        let jsonl = try write("predicted.jsonl", predicted)
        for (line, probability) in zip(predicted.split(separator: "\n"), again) {
            let pair = try JSONValue(String(line))["outputs"]?.elements.compactMap(\.number)
            #expect(pair?.last.map { abs($0 - Double(probability)) < 1e-6 } == true)
        }
        // 4: should it be worse, the one before is back at once.
        #expect(try tool("model", "rollback", "m") == "m@latest is version 1, was 2\n")
        usleep(500_000)
        try ingest("third", rows)
        try expect(scores(72)[48...], outputs, by: "m@1")
        scorer.send(SIGTERM)
        _ = try scorer.outcome()
        // ONNX Runtime, where there is a Python that has it.
        guard let python = Environment.text("MILLRACE_PYTHON") else { return }
        // It keeps something in the home directory, which other tests rely on not to be there.
        let check = try ToolProcess(
            ["HOME=\(directory.path)", python, Self.script, file, input, jsonl],
            program: "/usr/bin/env"
        ).outcome()
        #expect(check.code == 0, "\(check.errors)")
        print(check.output)
    }
}
