#if Kafka
    import Logging
    import Millrace
    import MillraceSystem
    import MillraceTestSupport
    import Testing

    @testable import MillraceKafka

    /// Pipelines that read Kafka topics.
    @Suite(.serialized) struct KafkaPipelineTests {
        /// Lines of CSV through preprocessing, training and scoring; and again, with more of them.
        @Test func linesOfCSV() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 2)
            let log = try TestLog()
            let pipeline = """
                topics:
                  raw: {bytes: true, partitions: 2}
                  rows: {features: prepare, label: true, partitions: 2}
                  scores: {predictions: true, partitions: 2}
                sources:
                  - {kafka: '\(try cluster.address("k"))', columns: [a, b, y], to: raw}
                stages:
                  prepare:
                    kind: preprocess
                    from: raw
                    to: rows
                    label: {column: y, greaterThan: 0, missing: reject}
                    features: [{column: a}, {column: b, scale: standard, impute: mean}]
                  learn: {kind: train, from: rows, model: m, logistic: {}, batch: 16}
                  predict: {kind: score, from: rows, to: scores, model: m, after: learn}
                """
            for round in 1...2 {
                for partition in 0..<2 {
                    let lines = (0..<60).map { "\($0 % 7),\($0 * $0 % 11),\($0 % 2)" }
                    try cluster.produce(
                        lines.map { TestRecord(value: Array($0.utf8)) }, to: "k",
                        partition: partition)
                }
                let result = try log.run(pipeline)
                let topics = Dictionary(
                    uniqueKeysWithValues: result.summary.topics.map { ($0.name, $0.rows) })
                #expect(topics == ["raw": 120 * round, "rows": 120 * round, "scores": 120 * round])
            }
        }

        /// Vectors straight into a topic of features; a record that is none is counted.
        @Test func vectors() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 1)
            let log = try TestLog()
            let pipeline = """
                topics:
                  rows: {features: 2, label: true}
                sources:
                  - {kafka: '\(try cluster.address("k"))', format: json, to: rows, onBadRecord: skip}
                stages:
                  learn: {kind: train, from: rows, model: m, logistic: {}, batch: 16}
                """
            let texts = (0..<80).map { "{\"features\":[\($0 % 5),\($0 % 3)],\"label\":\($0 % 2)}" }
            try cluster.produce(
                (texts + ["oops"]).map { TestRecord(value: Array($0.utf8)) }, to: "k", partition: 0)
            let result = try log.run(pipeline)
            let rows = try #require(result.summary.topics.first { $0.name == "rows" })
            #expect(rows.rows == 80 && rows.labelledRows == 80)
            #expect(rows.drops == ["undecodable": 1])
        }

        @Test func errorsEndTheRun() throws {
            let log = try TestLog()
            func pipeline(_ address: String) -> String {
                """
                topics:
                  rows: {features: 2, label: true}
                sources:
                  - {kafka: '\(address)', to: rows}
                stages:
                  learn: {kind: train, from: rows, model: m, logistic: {}}
                """
            }
            let cluster = try MockCluster()
            let missing = try cluster.address("none").description
            let error = #expect(throws: PipelineError.self) { try log.run(pipeline(missing)) }
            #expect(error?.code == .noInput, "\(error.map { "\($0)" } ?? "")")
            let nobody = #expect(throws: PipelineError.self) {
                try log.run(pipeline("kafka://127.0.0.1:1/t"))
            }
            #expect(nobody?.code == .tryLater, "\(nobody.map { "\($0)" } ?? "")")
        }
    }
#else
    import Logging
    import Millrace
    import MillraceTestSupport
    import Testing

    /// Pipelines that read Kafka topics, in a program without Kafka.
    @Suite struct KafkaPipelineTests {
        @Test func saysHowToBuildIt() throws {
            let directory = try TemporaryDirectory()
            let text = """
                topics:
                  rows: {features: 2, label: true}
                sources:
                  - {kafka: 'kafka://a/t', to: rows}
                stages:
                  learn: {kind: train, from: rows, model: m, logistic: {}}
                """
            let error = #expect(throws: PipelineError.self) {
                try PipelineRun(
                    PipelineDefinition.parse(text, file: "p.yaml"),
                    options: RunOptions(data: directory.file("data")),
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            }
            #expect(error?.code == .usage)
            #expect(error?.description.contains("--traits Kafka") == true)
        }
    }
#endif
