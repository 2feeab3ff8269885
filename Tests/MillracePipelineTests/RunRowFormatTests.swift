import Millrace
import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// Rows that are JSON or lines, and raw rows that are scored by a model's own preprocessing.
@Suite struct RunRowFormatTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func write(_ name: String, _ lines: [String]) throws {
        try Files.writeDurably(directory.file(name), Array(lines.map { $0 + "\n" }.joined().utf8))
    }

    private func run(_ text: String) throws -> RunSummary {
        let definition = try PipelineDefinition.parse(text, file: directory.file("p.yaml"))
        return try runToEnd(definition, data: directory).summary
    }

    /// All rows of a topic of one partition: features or outputs, NaN as -999, and the mark.
    private func rows(_ topic: String) throws -> [[Float]] {
        var reader = try DataDirectory(directory.path, create: false).topic(topic)
            .reader(partition: 0)
        var rows: [[Float]] = []
        while true {
            guard let batch = try reader.next() else { return rows }
            let matrix = batch.matrix
            for row in 0..<batch.rows {
                let start = row * batch.stride
                let values = (start..<start + batch.columns).map {
                    matrix[$0].isNaN ? -999 : matrix[$0]
                }
                rows.append(values + [Float(batch.mark(row))])
            }
        }
    }

    /// A table of numbers, words and times; every 7th number is missing.
    private static let table: [(number: String, word: String, time: String)] = (0..<500).map {
        (
            $0 % 7 == 3 ? "" : "\(Double($0) / 4)", ["one", "two \"2\"", "drei, vier"][$0 % 3],
            "2026-0\(1 + $0 % 9)-1\($0 % 10)T0\($0 % 10):30"
        )
    }

    private static let features = """
        [{column: n, impute: mean, indicator: true, clip: [0, 100], scale: minMax},
         {column: w, oneHot: auto, limit: 4}, {column: t, as: minuteOfDay, period: 1440},
         {cross: [w, n], hash: 16}]
        """

    private func stages(_ name: String) -> String {
        """
          \(name):
            kind: preprocess
            from: \(name).raw
            to: \(name)
            features: \(Self.features)

        """
    }

    @Test func jsonMakesTheSameFeaturesAsCSV() throws {
        try write(
            "t.csv",
            ["n,w,t"]
                + Self.table.map {
                    "\($0.number),\"\($0.word.replacing("\"", with: "\"\""))\",\($0.time)"
                })
        try write(
            "t.jsonl",
            Self.table.map {
                let word = $0.word.replacing("\"", with: "\\\"")
                let number = $0.number.isEmpty ? "null" : $0.number
                return "{\"t\":\"\($0.time)\",\"x\":[1],\"n\":\(number),\"w\":\"\(word)\"}"
            })
        let summary = try run(
            """
            topics:
              csv.raw: {bytes: true}
              csv: {features: csv}
              json.raw: {bytes: true}
              json: {features: json}
            sources:
              - {file: t.csv, to: csv.raw}
              - {file: t.jsonl, format: jsonl, to: json.raw}
            stages:
            \(stages("csv"))\(stages("json"))
            """)
        #expect(summary.topic("json.raw")?.rows == 500)
        let found = try rows("json")
        #expect(found.count == 500)
        #expect(found[0].count == 2 + 6 + 2 + 16 + 1)
        #expect(try found == rows("csv"))
        // Again, without the source: the topic says what its rows are.
        let topic = try DataDirectory(directory.path, create: false).topic("json.raw")
        #expect(try topic.rowSchema() == RowSchema(.jsonl, columns: ["t", "x", "n", "w"]))
        #expect(try topic.csvColumns() == nil)
    }

    @Test func aLineIsAColumn() throws {
        try write("l.txt", ["a,b", "", "\"q\"", "a,b"])
        _ = try run(
            """
            topics:
              raw: {bytes: true}
              rows: {features: prepare}
            sources:
              - {file: l.txt, format: lines, to: raw}
            stages:
              prepare: {kind: preprocess, from: raw, to: rows, features: [{column: line, oneHot: ['a,b']}]}
            """)
        #expect(try rows("rows") == [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]])
    }

    @Test(arguments: [
        ("", "does not say what its columns are called"),
        ("rows: jsonl,", nil), ("rows: jsonl, columns: [a],", nil),
        ("rows: jsonl, columns: [b],", "there is no column 'a'"),
    ])
    func aStageCanSayWhatRowsAre(_ keys: String, _ message: String?) throws {
        let data = try DataDirectory(directory.path, create: true)
        var writer = try data.topic("raw", creating: TopicConfiguration(kind: .bytes))
            .writer(partition: 0)
        var batch = BatchBuilder()
        for text in ["{\"a\":1}", "{\"b\":2}", "[]"] { batch.append(value: Array(text.utf8)) }
        try writer.append(&batch)
        try writer.close()
        let text = """
            topics:
              raw: {bytes: true}
              rows: {features: prepare}
            stages:
              prepare: {kind: preprocess, from: raw, \(keys) to: rows, features: [{column: a}]}
            """
        if let message {
            let error = #expect(throws: PipelineError.self) { try run(text) }
            #expect(error?.description.contains(message) == true)
        } else {
            let summary = try run(text)
            #expect(try rows("rows") == [[1, 0], [-999, 0]])
            #expect(summary.stage("preprocess")?.rowsRejected == 1)
        }
    }

    @Test func aStageCannotContradictItsTopic() throws {
        try write("t.csv", ["a", "1"])
        let text = """
            topics:
              raw: {bytes: true}
              rows: {features: prepare}
            sources:
              - {file: t.csv, to: raw}
            stages:
              prepare: {kind: preprocess, from: raw, rows: jsonl, to: rows, features: [{column: a}]}
            """
        let error = #expect(throws: PipelineError.self) { try run(text) }
        #expect(error?.description.contains("topic 'raw' has csv with the columns a") == true)
    }

    @Test func aSourceCannotChangeWhatRowsAre() throws {
        func pipeline(_ source: String) -> String {
            """
            topics:
              raw: {bytes: true}
              rows: {features: prepare}
            sources:
              - \(source)
            stages:
              prepare: {kind: preprocess, from: raw, to: rows, features: [{column: a}]}
            """
        }
        try write("t.csv", ["a", "1"])
        try write("t.jsonl", ["{\"a\":2}"])
        _ = try run(pipeline("{file: t.csv, to: raw}"))
        let error = #expect(throws: PipelineError.self) {
            try run(pipeline("{file: t.jsonl, format: jsonl, to: raw}"))
        }
        #expect(error?.description.contains("topic 'raw' has rows of csv") == true)
        let topic = try DataDirectory(directory.path, create: false).topic("raw")
        #expect(try topic.rowSchema() == RowSchema(columns: ["a"]))
        #expect(try rows("rows") == [[1, 0]])
    }

    @Test func anEmptyFileOfJSONIsTold() throws {
        try write("t.jsonl", [])
        let error = #expect(throws: PipelineError.self) {
            try run(
                """
                topics:
                  raw: {bytes: true}
                  rows: {features: prepare}
                sources:
                  - {file: t.jsonl, format: jsonl, to: raw}
                stages:
                  prepare: {kind: preprocess, from: raw, to: rows, features: [{column: a}]}
                """)
        }
        #expect(error?.description.contains("expected a JSON object") == true)
    }

    // MARK: Raw rows

    private static let training = """
        topics:
          raw: {bytes: true}
          rows: {features: prepare, label: true}
          today.raw: {bytes: true}
          raw.scores: {predictions: true}
        sources:
          - {file: t.csv, to: raw}
          - {file: today.jsonl, format: jsonl, to: today.raw}
        stages:
          prepare:
            kind: preprocess
            from: raw
            to: rows
            label: {column: y, value: true}
            features: FEATURES
          learn: {kind: train, from: rows, model: m, regression: {}, batch: 50}
          direct: {kind: score, from: today.raw, to: raw.scores, model: m, after: learn}
        """

    /// What a raw topic's rows become is what the model was trained on: the same bits as by hand.
    @Test func rawRowsAreScoredByTheModelsPreprocessing() throws {
        try write(
            "t.csv",
            ["w,n,t,y"]
                + Self.table.enumerated().map { index, row in
                    "\"\(row.word.replacing("\"", with: "\"\""))\",\(row.number),\(row.time),"
                        + "\(index % 3)"
                })
        var today = Self.table.prefix(300).map {
            let word = $0.word.replacing("\"", with: "\\\"")
            return "{\"n\":\($0.number.isEmpty ? "null" : $0.number),\"w\":\"\(word)\","
                + "\"t\":\"\($0.time)\"}"
        }
        today[17] = "{\"n\":\"many\"}"
        today[200] = "not JSON"
        try write("today.jsonl", today)
        let summary = try run(
            Self.training.replacing("FEATURES", with: Self.features.replacing("\n", with: " ")))
        let direct = try #require(summary.stages.first { $0.name == "direct" })
        #expect(direct.rowsRead == 300)
        #expect(direct.rowsRejected == 2)

        let version = try ModelRepository(path: directory.file("models")).load("m", version: 1)
        let kept = try FeatureSpecification(json: version.manifest.publication.specification)
        let specification = try FeatureSpecification(
            schema: RowSchema(.jsonl, columns: ["n", "w", "t"]), features: kept.features)
        var encoder = RowEncoder(specification)
        let model = PreparedModel(version.model)
        let found = try rows("raw.scores")
        try #require(found.count == 300)
        for (index, line) in today.enumerated() {
            var row = [Float](repeating: 0, count: encoder.width)
            var target = row.mutableSpan
            let outcome = encoder.encode(Array(line.utf8).span, offset: 0, into: &target)
            guard case .encoded = outcome else {
                #expect(found[index] == [-999, 2])
                continue
            }
            #expect(found[index] == model.predict(row) + [0], "row \(index)")
        }
    }

    @Test func aModelWithoutPreprocessingIsRefused() throws {
        let models = try NumberedModels()
        try models.publish()
        let data = try DataDirectory(models.directory.path, create: false)
        var writer = try data.topic("text", creating: TopicConfiguration(kind: .bytes))
            .writer(partition: 0)
        var batch = BatchBuilder()
        batch.append(value: Array("1,2".utf8))
        try writer.append(&batch)
        try writer.close()
        let definition = try PipelineDefinition.scoring(
            from: "text", to: "out", model: "m", group: "g", data: models.directory.path)
        let error = #expect(throws: PipelineError.self) {
            try runToEnd(definition, data: models.directory)
        }
        #expect(
            error?.description.contains("does not say how rows of text become its features")
                == true)
    }
}
