#if Kafka
    import CRdKafka
    import Millrace
    import MillraceLog
    import MillraceSystem
    import MillraceTestSupport
    import Testing

    @testable import MillraceKafka

    /// Train stages that read topics of Kafka.
    @Suite(.serialized) struct KafkaTrainTests {
        private let trained: TrainedLog
        private let cluster: MockCluster

        init() throws {
            trained = try TrainedLog()
            cluster = try MockCluster()
        }

        /// A pipeline of one trainer of model `k`, as the trained log's own, that reads `in`.
        private func pipeline(_ format: String, _ more: String = "") throws -> String {
            """
            topics:
              in:
                kafka: '\(try cluster.address("in"))'
                features: 2
                label: true
                format: \(format)
                properties: {session.timeout.ms: 6000, heartbeat.interval.ms: 500}
                \(more)
            stages:
              learn-k: {kind: train, from: in, model: k, logistic: {}, batch: 16}
            """
        }

        /// Copies rows of the trained log to a topic; `blockRows` of them at once where they are blocks.
        private func send(
            _ range: Range<Int>, to topic: String, _ format: KafkaFormat, blockRows: Int = 7
        ) throws {
            var writer = VectorWriter(
                format, of: TopicConfiguration(kind: .features, features: 2, label: true),
                maxRecordBytes: 1_000_000)
            var records: [TestRecord] = []
            for row in range {
                let features = trained.rows[row % trained.rows.count]
                try writer.write(
                    features.span, label: trained.label(row), key: nil, RowContext(timestamp: 0)
                ) { (value, _, _, _) throws(KafkaError) in
                    records.append(TestRecord(value: value.copied))
                }
                guard (row + 1) % blockRows == 0 || row + 1 == range.upperBound else { continue }
                try writer.finish { (value, _, _, _) throws(KafkaError) in
                    records.append(TestRecord(value: value.copied))
                }
            }
            try cluster.produce(records, to: topic, partition: 0)
        }

        /// What a model predicts that learns the first rows from a topic of the log.
        private func learntFromTheLog(rows count: Int) throws -> [Float] {
            let topic = try trained.log.create(
                "plain", TopicConfiguration(kind: .features, features: 2, label: true))
            let rows = (0..<count).map {
                TestRow(features: trained.rows[$0], label: trained.label($0))
            }
            try trained.log.append(rows, to: topic, partition: 0, batch: 32)
            _ = try trained.log.run(
                """
                topics: {plain: {features: 2, label: true}}
                stages:
                  learn-plain: {kind: train, from: plain, model: p, logistic: {}, batch: 16}
                """)
            return try outputs(of: "p")
        }

        /// What the newest version of a model predicts for the trained log's rows.
        private func outputs(of model: String) throws -> [Float] {
            let repository = ModelRepository(path: trained.log.data.path + "/models")
            let version = try repository.version(of: ModelReference(parsing: model))
            return try PreparedModel(repository.load(model, version: version).model).predict(
                trained.rows.flatMap { $0 })
        }

        /// The same rows make the same model, to the last bit, whatever they are in.
        @Test(arguments: [KafkaFormat.float32, .json, .block])
        func sameModel(_ format: KafkaFormat) throws {
            try cluster.create("in", partitions: 1)
            try send(0..<90, to: "in", format)
            let result = try trained.log.run(pipeline(format.rawValue))
            #expect(result.summary.stages.first?.rowsRead == 90)
            let expected = try learntFromTheLog(rows: 90)
            #expect(try outputs(of: "k") == expected)
            let end = format == .block ? 13 : 90
            #expect(try cluster.committed("learn-k", "in", partitions: 1) == [Int64(end)])
            // What comes later is learnt then, and nothing twice.
            try send(0..<30, to: "in", format)
            let more = try trained.log.run(pipeline(format.rawValue))
            #expect(more.summary.stages.first?.rowsRead == 120)
            #expect(try outputs(of: "k") != expected)
            // Nothing is left.
            let again = try trained.log.run(pipeline(format.rawValue))
            #expect(again.summary.stages.first?.rowsRead == 120)
        }

        /// Features are made, and learnt from, in one run.
        @Test func behindAPreprocessStage() throws {
            try cluster.create("raw", partitions: 1)
            try cluster.create("in", partitions: 1)
            try cluster.produce(
                trained.lines.map { TestRecord(value: Array($0.utf8)) }, to: "raw", partition: 0)
            let properties = "properties: {session.timeout.ms: 6000, heartbeat.interval.ms: 500}"
            let result = try trained.log.run(
                """
                topics:
                  raw:
                    {kafka: '\(cluster.address("raw"))', format: csv, columns: [a, b, y], \(properties)}
                  in: {kafka: '\(cluster.address("in"))', features: encode, label: true, \(properties)}
                stages:
                  encode:
                    kind: preprocess
                    from: raw
                    to: in
                    \(KafkaPreprocessTests.features)
                  learn-k: {kind: train, from: in, model: k, logistic: {}, batch: 16}
                """)
            #expect(result.summary.stages.map(\.rowsRead) == [90, 90])
            #expect(try outputs(of: "k") == trained.expected.flatMap { $0 })
        }

        @Test func badRecords() throws {
            try cluster.create("in", partitions: 1)
            try send(0..<20, to: "in", .float32)
            try cluster.produce(
                [TestRecord(value: [1, 2, 3]), TestRecord(value: nil)], to: "in", partition: 0)
            try send(20..<90, to: "in", .float32)
            let error = #expect(throws: PipelineError.self) {
                try trained.log.run(pipeline("float32"))
            }
            #expect(error?.code == .badData)
            #expect(error?.description.contains("offset 20: expected 3 float32") == true)
            let result = try trained.log.run(pipeline("float32", "onBadRecord: skip"))
            #expect(result.summary.stages.first?.rowsRead == 90)
            #expect(result.summary.stages.first?.rowsRejected == 2)
            #expect(try outputs(of: "k") == learntFromTheLog(rows: 90))
        }

        /// A trainer owns every partition of its group: of two, both end and say why.
        @Test func anotherMember() throws {
            try cluster.create("in", partitions: 2)
            try send(0..<32, to: "in", .float32)
            let definition = try PipelineDefinition.parse(pipeline("float32"), file: "p.yaml")
            let first = try RunningStage(trained.run(definition, follow: true))
            let other = try TrainedLog()
            #expect(eventually { (try? cluster.committed("learn-k", "in", partitions: 2)) != nil })
            PinnedThread.sleep(nanoseconds: 4_000_000_000)
            let second = try RunningStage(other.run(definition, follow: true))
            #expect(eventually { first.hasEnded || second.hasEnded })
            for stage in [first, second] where stage.hasEnded {
                let error = #expect(throws: PipelineError.self) { try stage.wait() }
                #expect(error?.code == .tryLater && "\(error!)".contains("other members"))
            }
            for stage in [first, second] where !stage.hasEnded { _ = try? stage.stop() }
        }

        /// Trainers that are killed at moments nobody chose learn every row once, in the middle of
        /// blocks too: the model is that of one that nobody has disturbed.
        @Test func trainersThatAreKilled() throws {
            try cluster.create("in", partitions: 1)
            let file = trained.log.directory.file("learn.yaml")
            let text = try pipeline("block").replacing(
                "batch: 16}", with: "batch: 16, checkpoint: {everyRows: 1000}}")
            try Files.writeDurably(file, Array(text.utf8))
            let arguments = ["run", file, "--share-cores", "--json"]
            let kills = Environment.number("MILLRACE_KILLS", or: 3)
            let seed = UInt64.random(in: 0...UInt64.max)
            var random = SplitMix64(seed: seed)
            var sent = 0
            func done() -> Int {
                let found = try? cluster.committed("learn-k", "in", partitions: 1)
                return Int(found?.first.flatMap { $0 } ?? 0)
            }
            var stops: Set<Int> = []
            for _ in 0..<kills {
                try trained.runTool(arguments) {
                    try send(sent..<sent + 48_000, to: "in", .block, blockRows: 700)
                    sent += 48_000
                    let before = done()
                    _ = eventually { done() > before }
                    PinnedThread.sleep(nanoseconds: Int64(random.next() % 300_000_000))
                }
                stops.insert(done())
            }
            try trained.runToolToEnd(arguments)
            let killed = try outputs(of: "k")
            // The same rows, undisturbed.
            let undisturbed = try TrainedLog()
            try Files.writeDurably(
                undisturbed.log.directory.file("learn.yaml"), Array(text.utf8))
            _ = try undisturbed.log.run(text)
            let repository = ModelRepository(path: undisturbed.log.data.path + "/models")
            let model = try repository.load(
                "k", version: repository.version(of: ModelReference(parsing: "k"))
            ).model
            let expected = PreparedModel(model).predict(trained.rows.flatMap { $0 })
            #expect(killed == expected, "\(stops), seed \(seed)")
        }
    }
#endif
