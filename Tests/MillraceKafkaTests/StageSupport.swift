#if Kafka
    import FoundationEssentials
    import Logging
    import Millrace
    import MillraceLog
    import MillraceSystem
    import MillraceTestSupport
    import Testing

    @testable import MillraceKafka

    extension TestLog {
        /// Runs a pipeline to its end.
        func run(_ text: String) throws -> RunResult {
            try PipelineRun(
                PipelineDefinition.parse(text, file: "p.yaml"),
                options: RunOptions(data: data.path),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            ).run()
        }
    }

    /// A data directory with a model that was trained there, rows, and what the log's own score stage
    /// predicts for them.
    struct TrainedLog {
        let log: TestLog
        /// Rows of two features, as vectors.
        let rows: [[Float]]
        /// The same, as lines of CSV from which the features were made.
        let lines: [String]
        /// The model's outputs for each row.
        let expected: [[Float]]

        static let group = "my_consumer_group"

        init(rows count: Int = 90) throws {
            log = try TestLog()
            lines = (0..<count).map { "\($0 % 7),\($0 * $0 % 11),\($0 * 5 % 3 % 2)" }
            let text = "a,b,y\n" + lines.joined(separator: "\n") + "\n"
            let file = log.directory.file("rows.csv")
            try Files.writeDurably(file, Array(text.utf8))
            _ = try log.run(
                """
                topics:
                  raw: {bytes: true}
                  rows: {features: prepare, label: true}
                  scores: {predictions: true}
                sources: [{file: '\(file)', format: csv, to: raw}]
                stages:
                  prepare:
                    kind: preprocess
                    from: raw
                    to: rows
                    label: {column: y, greaterThan: 0, missing: reject}
                    features: [{column: a}, {column: b, scale: standard, impute: mean}]
                  learn: {kind: train, from: rows, model: m, logistic: {}, batch: 16}
                  predict: {kind: score, from: rows, to: scores, model: m, after: learn}
                """)
            rows = try log.rows("rows", partition: 0).map(\.features)
            expected = try log.rows("scores", partition: 0).map(\.features)
            try #require(rows.count == count && expected.count == count)
        }

        /// A stage that scores with the model, from and to what the names say; without an output into
        /// the log's topic `predicted`.
        func stage(
            from input: KafkaAddress, to output: KafkaAddress?, follow: Bool = false,
            group: String = Self.group, _ change: (inout KafkaTopicDefinition) -> Void = { _ in }
        ) throws -> PipelineRun {
            var source = KafkaTopicDefinition(
                address: input, properties: .shortSessions, patienceMilliseconds: 30_000)
            change(&source)
            let target = output.map {
                KafkaTopicDefinition(
                    address: $0, predictionFormat: source.predictionFormat,
                    properties: source.properties,
                    patienceMilliseconds: source.patienceMilliseconds)
            }
            return try run(
                PipelineDefinition.scoring(
                    from: ("in", source), to: (target == nil ? "predicted" : "out", target),
                    model: ModelReference(parsing: "m"), group: group, data: log.data.path),
                follow: follow)
        }

        /// Runs the tool in a process of its own, and kills it when `body` has done what it does
        /// meanwhile.
        func runTool(_ arguments: [String], killedAfter body: () throws -> Void) throws {
            let child = try tool(arguments + ["--follow"])
            try body()
            child.kill()
            _ = child.wait()
        }

        /// The same, to the end of what is there, which has to be reached.
        func runToolToEnd(_ arguments: [String]) throws {
            #expect(try tool(arguments).wait() == .code(0))
        }

        private func tool(_ arguments: [String]) throws -> ChildProcess {
            try ChildProcess(
                ChildProcess.besideUs("millrace"), arguments,
                environment: ["MILLRACE_DATA=\(log.data.path)"])
        }

        func run(
            _ definition: PipelineDefinition, follow: Bool = false, instance: String? = nil
        ) throws -> PipelineRun {
            try PipelineRun(
                definition,
                options: RunOptions(
                    data: log.data.path, sharesCores: true, instance: instance, follow: follow),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }

        /// Sends vectors number `range` in turn to the partitions of a topic.
        func send(
            _ range: Range<Int>, to topic: String, partitions: Int, of cluster: MockCluster
        ) throws {
            for partition in 0..<partitions {
                try cluster.produce(
                    range.filter { $0 % partitions == partition }.map { vector($0) },
                    to: topic, partition: partition)
            }
        }

        /// A row as a record: `{"features":[…]}`, with its number as key.
        func vector(_ index: Int) -> TestRecord {
            let numbers = rows[index % rows.count].map { "\($0)" }.joined(separator: ",")
            return TestRecord(
                value: Array("{\"features\":[\(numbers)]}".utf8), key: Array("\(index)".utf8),
                milliseconds: 1_700_000_000_000 + Int64(index))
        }

        /// Whether a prediction's outputs are those of the log's own stage, bit for bit.
        func isRight(_ prediction: TestPrediction, row: Int) -> Bool {
            guard let outputs = prediction.outputs, outputs.count == 2 else { return false }
            return outputs[1] == expected[row % expected.count][0]
        }
    }

    /// A prediction as those who know nothing of Millrace read it.
    struct TestPrediction: Decodable {
        struct Source: Decodable {
            var topic: String
            var partition: Int
            var offset: Int
        }

        var prediction: String?
        var outputs: [Float]?
        var null: Int?
        var model: String
        var source: Source

        init(_ record: TestRecord) throws {
            self = try JSONDecoder().decode(Self.self, from: Data(record.value ?? []))
        }
    }

    /// A stage on a thread of its own.
    final class RunningStage: Sendable {
        private let run: PipelineRun
        private let outcome = Lock<Result<RunResult, PipelineError>?>(nil)
        private let thread: PinnedThread

        init(_ run: PipelineRun) throws {
            let outcome = outcome
            self.run = run
            thread = try PinnedThread(name: "run", core: nil) {
                let result = Result { () throws(PipelineError) in try run.run() }
                outcome.withLock { $0 = result }
            }
        }

        var hasEnded: Bool { outcome.withLock { $0 != nil } }
        var rows: Int { run.progress().reduce(0) { $0 + $1.rowsProcessed } }

        func stop() throws(PipelineError) -> RunResult {
            run.stop()
            return try wait()
        }

        func wait() throws(PipelineError) -> RunResult {
            thread.join()
            guard let result = outcome.withLock({ $0 }) else {
                preconditionFailure("the run left no outcome")
            }
            return try result.get()
        }
    }

    extension KafkaProperties {
        /// The mock lets a member that comes after another has left wait for about a session's
        /// length, and a first one for three seconds, in which its session must not end.
        static let shortSessions = try! KafkaProperties([
            ("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "500"),
        ])

        /// Sessions that no absence of brokers outlasts.
        static let longSessions = try! KafkaProperties([
            ("session.timeout.ms", "60000"), ("heartbeat.interval.ms", "500"),
        ])
    }

    extension MockCluster {
        func predictions(_ topic: String, partition: Int) throws -> [TestPrediction] {
            try records(topic, partition: partition).map { try TestPrediction($0) }
        }

        /// What a group has committed, by partition.
        func committed(
            _ group: String, _ topic: String, partitions: Int
        ) throws -> [Int64?] {
            let client = try GroupClient(
                address(topic), KafkaProperties(),
                GroupClient.Membership(group: group, instance: nil, strategy: "range"))
            return try client.committed(
                Array(0..<partitions), Patience(milliseconds: 10_000))
        }
    }
#endif
