import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// `model predict`.
@Suite struct ModelPredictTests {
    private static let fixtures = SharedData.root + "/Tests/MillraceONNXTests/Fixtures"
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory("millrace-predict") }

    private func model(_ arguments: String...) throws -> ToolProcess.Outcome {
        try ToolProcess.run(["model"] + arguments + ["--models", directory.path])
    }

    private func write(_ lines: [String], _ name: String = "rows.csv") throws -> String {
        try Files.writeDurably(
            directory.file(name), Array(lines.map { $0 + "\n" }.joined().utf8))
        return directory.file(name)
    }

    private func publish(
        _ model: Model, _ specification: FeatureSpecification? = nil
    ) throws {
        var publication = Publication(key: "")
        publication.specification = specification?.json() ?? ""
        publication.specificationID = specification?.identifier ?? 0
        _ = try ModelRepository(path: directory.path).publish(model, as: "m", publication)
    }

    /// Models that scikit-learn exported: outputs are those of ONNX Runtime, and so are classes.
    @Test(arguments: [
        "mlp-multi-standard", "logistic-binary-plain", "imputed-mean-multi", "imputed-ridge",
    ])
    func rowsAreThoseOfAnotherProgram(name: String) throws {
        let lines = String(
            decoding: try Files.read("\(Self.fixtures)/\(name).txt", maxBytes: 1 << 20),
            as: UTF8.self
        ).split(separator: "\n").map(String.init)
        let start = try #require(lines.firstIndex { $0.hasPrefix("outputs ") })
        let rows = lines[1..<start].map {
            $0.split(separator: " ").map { $0 == "nan" ? "" : String($0) }.joined(separator: ",")
        }
        let outputs = lines[(start + 1)...].filter { !$0.hasPrefix("labels") }.map {
            $0.split(separator: " ").compactMap { Double($0) }
        }
        let labels = lines.last { $0.hasPrefix("labels ") }?.split(separator: " ").dropFirst()
        let width = try #require(rows.first).split(
            separator: ",", omittingEmptySubsequences: false
        ).count
        let head = (0..<width).map { "x\($0)" }.joined(separator: ",")
        let file = try write([head] + rows)
        #expect(try model("import", "\(Self.fixtures)/\(name).onnx", "--name", "m").code == 0)
        let outcome = try model("predict", "m", "--from", file, "--json")
        #expect(outcome.code == 0, "\(outcome.errors)")
        let found = try outcome.output.split(separator: "\n").map { try JSONValue(String($0)) }
        #expect(found.count == rows.count && found.count == outputs.count)
        for (index, row) in found.enumerated() {
            #expect(row["row"]?.number == Double(index))
            let numbers = try #require(row["outputs"]).elements.compactMap(\.number)
            #expect(numbers.count == outputs[index].count)
            for (a, b) in zip(numbers, outputs[index]) {
                #expect(abs(a - b) <= 1e-5 * max(1, abs(b)), "row \(index): \(a) and \(b)")
            }
            #expect(
                row["class"] == labels.map { .text(String($0[$0.startIndex + index])) },
                "row \(index)")
        }
    }

    /// A binary classifier over two named features: 1 where `b` is above `a`.
    private func binary() throws -> Model {
        try Model(
            input: InputStage(identity: 2),
            layers: [DenseLayer(inputs: 2, outputs: 1, weights: [-8, 8], bias: [0])],
            head: .sigmoid, labels: ["on time", "late"], featureNames: ["a", "b"])
    }

    @Test func columnsAreFoundByName() throws {
        try publish(binary())
        let file = try write(["b,a", "1,0", "0,1", ",1"])
        let rows = try model("predict", "m@1", "--from", file, "--json").output
            .split(separator: "\n").map { try JSONValue(String($0)) }
        #expect(rows.map { $0["class"] } == [.text("late"), .text("on time"), .text("on time")])
        #expect(
            rows.map(\.names) == [
                ["row", "outputs", "class"], ["row", "outputs", "class"],
                ["row", "outputs", "class"],
            ])
        for row in rows {
            let sum = try #require(row["outputs"]).elements.compactMap(\.number).reduce(0, +)
            #expect(abs(sum - 1) < 1e-6)
        }
        let text = try model("predict", "m", "--from", file)
        #expect(text.output.hasPrefix("row,class,on time,late\n0,late,0.000"))
        #expect(text.output.split(separator: "\n").count == 4)
        let piped = try ToolProcess.outcome(
            of: "cat '\(file)' | '\(ToolProcess.executable)' model predict m --from - --json "
                + "--models '\(directory.path)'")
        #expect(piped.code == 0)
        #expect(
            try piped.output.split(separator: "\n").map { try JSONValue(String($0)) } == rows)
    }

    @Test(arguments: [
        ("a,c", "1,2", "rows.csv:1:1: ", "the column 'b' is missing"),
        ("a,bb", "1,2", "rows.csv:1:1: ", "the column 'b' is missing, which the model needs (did"),
        ("a,b,c", "1,2,3", "rows.csv:1:1: ", "the column 'c' is unknown to the model"),
        ("a,b,a", "1,2,3", "rows.csv, line 1", "different names"),
        ("a,b", "1,x", "rows.csv:2:1: ", "column 2 (b): not a number: 'x'"),
        ("a,b", "1,2,3", "rows.csv:2:1: ", "expected 2 fields, found 3"),
        ("a,b", "1,2\n1,1e99", "rows.csv:3:1: ", "number too large"),
    ])
    func whatCannotBeReadIsSaid(header: String, row: String, place: String, what: String) throws {
        try publish(binary())
        let file = try write([header, row])
        let outcome = try model("predict", "m", "--from", file, "--json")
        #expect(outcome.code == 65)
        #expect(
            outcome.errors.contains(place) && outcome.errors.contains(what), "\(outcome.errors)")
    }

    @Test func otherMistakesAreSaidToo() throws {
        try publish(binary())
        try model("predict", "m", "--from", directory.file("none"), "--json").expectError(66)
        try model("predict", "m", "--from", write([]), "--json").expectError(65, "names of the")
        try model("predict", "n", "--from", write(["a"]), "--json").expectError(66, "a model 'n'")
        // Without names, as many columns as there are numbers.
        try publish(
            try Model(
                input: InputStage(identity: 2),
                layers: [DenseLayer(inputs: 2, outputs: 1, weights: [1, 1], bias: [0])],
                head: .identity))
        try model("predict", "m", "--from", write(["a"]), "--json").expectError(
            65, "1 columns, where the model takes 2 numbers")
        let sum = try model("predict", "m", "--from", write(["q,r", "1,2"]), "--json")
        #expect(sum.output == "{\"outputs\":[3],\"row\":0}\n")
    }

    /// A row without outputs says so.
    @Test func whatHasNoPredictionIsNull() throws {
        var input = InputStage(identity: 2)
        input.missing = .reject
        let layer = DenseLayer(inputs: 2, outputs: 1, weights: [1, 1], bias: [0])
        try publish(Model(input: input, layers: [layer], head: .sigmoid))
        let outcome = try model("predict", "m", "--from", write(["q,r", "1,", "0,0"]), "--json")
        #expect(
            outcome.output
                == "{\"null\":1,\"row\":0}\n{\"class\":\"0\",\"outputs\":[0.5,0.5],\"row\":1}\n")
    }

    /// Rows as they are before they become features: encoded as the stream's were.
    @Test func rawRowsAreEncodedAsTheStreamWas() throws {
        let specification = try FeatureSpecification(
            schema: RowSchema(columns: ["y", "carrier", "when"]),
            features: [
                FrozenFeature(
                    column: "carrier", encoding: .oneHot(vocabulary: ["AA", "UA"], limit: 2)),
                FrozenFeature(column: "when", encoding: .number(NumberEncoding(format: .hhmm))),
            ], label: LabelRule(column: "y", rule: .value, missing: .reject),
            missingValues: ["NA"])
        let weights: [Float] = [1000, 2000, 3000, 4000, 1]
        try publish(
            Model(
                input: InputStage(identity: 5),
                layers: [DenseLayer(inputs: 5, outputs: 1, weights: weights, bias: [0])],
                head: .identity, featureNames: specification.featureNames), specification)
        func outputs(_ lines: [String]) throws -> [Double?] {
            let outcome = try model("predict", "m", "--from", write(lines), "--json")
            #expect(outcome.code == 0, "\(outcome.errors)")
            return try outcome.output.split(separator: "\n").map {
                try JSONValue(String($0))["outputs"]?.elements.first?.number
            }
        }
        // The label's column may be there; nothing is done with it.
        let rows = ["0100,AA,", "2359,UA,x", "NA,NA,", "1,ZZ,"]
        #expect(try outputs(["when,carrier,y"] + rows) == [1060, 3439, 4000, 3001])
        #expect(try outputs(["when,carrier", "0100,AA"]) == [1060])
        // Or the features themselves.
        let names = specification.featureNames.joined(separator: ",")
        #expect(try outputs([names, "0,1,0,0,7"]) == [2007])
        let lacking = try model("predict", "m", "--from", write(["when", "1"]), "--json")
        lacking.expectError(65, "the column 'carrier' is missing")
        let unknown = try model("predict", "m", "--from", write(["when,carrier,z", "1,AA,2"]))
        unknown.expectError(65, "the column 'z' is unknown")
    }
}

extension ToolProcess {
    /// Runs a command of the shell to its end.
    fileprivate static func outcome(of command: String) throws -> Outcome {
        try ToolProcess(["-c", command], program: "/bin/sh").outcome()
    }
}
