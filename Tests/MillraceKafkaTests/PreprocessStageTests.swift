#if Kafka
    import CRdKafka
    import Millrace
    import MillraceLog
    import MillraceSystem
    import MillraceTestSupport
    import Testing

    @testable import MillraceKafka

    /// Preprocess stages between topics of Kafka and of the log.
    @Suite(.serialized) struct KafkaPreprocessTests {
        private let trained: TrainedLog
        private let cluster: MockCluster

        init() throws {
            trained = try TrainedLog()
            cluster = try MockCluster()
        }

        /// The features of the trained log's own preprocess stage.
        static let features = """
            label: {column: y, greaterThan: 0, missing: reject}
                features: [{column: a}, {column: b, scale: standard, impute: mean}]
            """

        private func kafka(_ topic: String, _ more: String = "") throws -> String {
            "{kafka: '\(try cluster.address(topic))'\(more), "
                + "properties: {session.timeout.ms: 6000, heartbeat.interval.ms: 500}}"
        }

        /// A pipeline of one stage `encode`, which reads `in`.
        private func pipeline(
            from input: String, to output: String, _ features: String = Self.features,
            more: String = ""
        ) -> String {
            """
            topics:
              in: \(input)
              out: \(output)
            stages:
              encode:
                kind: preprocess
                from: in
                to: out
                \(features)
            \(more)
            """
        }

        /// Sends the trained log's rows, as objects, to the partitions of a topic in turn; returns the
        /// rows' numbers by partition.
        private func sendObjects(
            _ count: Int, to topic: String, partitions: Int
        ) throws -> [[Int]] {
            try cluster.create(topic, partitions: Int32(partitions))
            return try (0..<partitions).map { partition in
                let numbers = (0..<count).filter { $0 % partitions == partition }
                try cluster.produce(
                    numbers.map { TestRecord(trained.object($0), number: $0) }, to: topic,
                    partition: partition)
                return numbers
            }
        }

        /// What the log's own stage has made of a row: its features, then its label.
        private func expected(_ row: Int) -> [Float] {
            trained.rows[row % trained.rows.count] + [trained.label(row)]
        }

        private static func floats(_ value: [UInt8]) -> [Float] {
            (0..<value.count / 4).map {
                Float(bitPattern: LittleEndianBytes.word(value.span, 4 * $0))
            }
        }

        // MARK: From Kafka to Kafka

        /// Each record has one vector, the same as the log's stage makes, with its key and time.
        @Test(arguments: ["float32", "json"])
        func vectors(_ format: String) throws {
            let sent = try sendObjects(300, to: "in", partitions: 3)
            try cluster.create("out", partitions: 3)
            let result = try trained.log.run(
                pipeline(
                    from: kafka("in"),
                    to: kafka("out", ", features: encode, label: true, format: \(format)")))
            let stage = try #require(result.summary.stages.first)
            #expect(stage.rowsRead == 300 && stage.rowsWritten == 300 && stage.rowsRejected == 0)
            for partition in 0..<3 {
                let records = try cluster.records("out", partition: partition)
                #expect(records.count == sent[partition].count)
                for (record, row) in zip(records, sent[partition]) {
                    let value = try #require(record.value)
                    let expected = expected(row)
                    if format == "json" {
                        let features = expected.dropLast().map { "\(Int($0))" }
                        let text =
                            "{\"features\":[\(features.joined(separator: ","))],"
                            + "\"label\":\(Int(expected.last ?? 0))}"
                        #expect(String(decoding: value, as: UTF8.self) == text)
                    } else {
                        #expect(Self.floats(value) == expected)
                    }
                    #expect(record.key == Array("\(row)".utf8))
                    #expect(record.milliseconds == 1_700_000_000_000 + Int64(row))
                }
            }
        }

        /// Blocks that the stage makes are what a mirror reads, labels included.
        @Test func blocks() throws {
            _ = try sendObjects(200, to: "in", partitions: 1)
            try cluster.create("out", partitions: 1)
            _ = try trained.log.run(
                pipeline(
                    from: kafka("in"),
                    to: kafka("out", ", features: encode, label: true, format: block")))
            #expect(try cluster.records("out", partition: 0).count < 20)
            _ = try trained.log.create(
                "back", TopicConfiguration(kind: .features, features: 2, label: true))
            _ = try trained.log.mirror(
                from: cluster.address("out"), to: "back", .quick.with { $0.format = .block })
            let rows = try trained.log.rows("back", partition: 0)
            #expect(rows.count == 200)
            for (number, row) in rows.enumerated() {
                #expect(row.features + [row.label ?? .nan] == expected(number))
                #expect(row.key == Array("\(number)".utf8))
            }
        }

        /// The features of a model, scored in the same run: the score stage ends when it has read
        /// everything that the stage before it has written.
        @Test(arguments: ["float32", "block"])
        func featuresOfAModel(_ format: String) throws {
            _ = try sendObjects(300, to: "in", partitions: 1)
            try cluster.create("vectors", partitions: 1)
            try cluster.create("scored", partitions: 1)
            let result = try trained.log.run(
                """
                topics:
                  in: \(kafka("in"))
                  vectors: \(kafka("vectors", ", features: encode, format: \(format)"))
                  scored: \(kafka("scored", ", predictions: true"))
                stages:
                  encode: {kind: preprocess, from: in, to: vectors, features: {model: m}}
                  score: {kind: score, from: vectors, to: scored, model: m}
                """)
            #expect(result.summary.stages.map(\.rowsRead) == [300, 300])
            let predictions = try cluster.predictions("scored", partition: 0)
            #expect(predictions.count == 300)
            for (row, prediction) in predictions.enumerated() {
                #expect(trained.isRight(prediction, row: row))
            }
        }

        /// A block of other features than the model was trained on is not scored.
        @Test func featuresOfAnother() throws {
            _ = try sendObjects(50, to: "in", partitions: 1)
            try cluster.create("vectors", partitions: 1)
            try cluster.create("scored", partitions: 1)
            let text = try """
            topics:
              in: \(kafka("in"))
              vectors: \(kafka("vectors", ", features: encode, format: block"))
              scored: \(kafka("scored", ", predictions: true"))
            stages:
              encode:
                {kind: preprocess, from: in, to: vectors, features: [{column: b}, {column: a}]}
              score: {kind: score, from: vectors, to: scored, model: m}
            """
            let error = try #require(
                #expect(throws: PipelineError.self) { try trained.log.run(text) })
            #expect(error.code == .badData && "\(error)".contains("specification"), "\(error)")
        }

        /// A vocabulary is fitted to the first records; labels go by routes to two topics.
        @Test func vocabularyAndRoutes() throws {
            try cluster.create("in", partitions: 1)
            for name in ["low", "high"] { try cluster.create(name, partitions: 1) }
            try cluster.produce(
                (0..<60).map { TestRecord("\($0),\(["x", "y", "z"][$0 % 3])", number: $0) },
                to: "in", partition: 0)
            let result = try trained.log.run(
                """
                topics:
                  in: \(kafka("in", ", format: csv, columns: [n, c]"))
                  low: \(kafka("low", ", features: encode"))
                  high: \(kafka("high", ", features: encode"))
                stages:
                  encode:
                    kind: preprocess
                    from: in
                    to:
                      - {topic: low, where: {column: n, lessThan: 20}}
                      - {topic: high, where: {column: n, atLeast: 30}}
                    features: [{column: n}, {column: c, oneHot: auto, limit: 3}]
                """)
            let low = try cluster.records("low", partition: 0).map { Self.floats($0.value ?? []) }
            let high = try cluster.records("high", partition: 0).map { Self.floats($0.value ?? []) }
            #expect(low.map { $0[0] } == (0..<20).map { Float($0) })
            #expect(high.map { $0[0] } == (30..<60).map { Float($0) })
            #expect((low + high).allSatisfy { $0.count == 6 && $0.dropFirst().reduce(0, +) == 1 })
            #expect(Set((low + high).map { Array($0.dropFirst()) }).count == 3)
            #expect(result.summary.stages.first?.rowsRead == 60)
        }

        // MARK: Into the log and out of it

        /// Into the log each record has one row, or a drop that says why; a second run goes on.
        @Test func intoTheLog() throws {
            let text = try pipeline(
                from: kafka("in", ", format: csv, columns: [a, b, y], onBadRecord: skip"),
                to: "{features: encode, label: true}")
            try cluster.create("in", partitions: 1)
            for round in 1...2 {
                var records = (0..<50).map { TestRecord(trained.lines[$0], number: $0) }
                records.append(TestRecord("oops", number: 50))
                records.append(TestRecord(value: nil, key: [1]))
                try cluster.produce(records, to: "in", partition: 0)
                let result = try trained.log.run(text)
                #expect(result.summary.stages.first?.rowsRead == 52)
                #expect(result.summary.stages.first?.rowsRejected == 2)
                let rows = try trained.log.rows("out", partition: 0)
                #expect(rows.count == 50 * round)
                for (index, row) in rows.enumerated() {
                    #expect(row.features + [row.label ?? .nan] == expected(index % 50))
                    #expect(row.source == UInt64(index / 50 * 52 + index % 50))
                }
                let drops = try trained.log.drops("out", partition: 0)
                #expect(Set(drops.keys) == (round == 1 ? [50, 51] : [50, 51, 102, 103]))
                #expect(drops[51] == 80)
            }
            #expect(try cluster.committed("encode", "in", partitions: 1) == [104])
        }

        /// From the log to Kafka, at least once; a run that ended is not repeated.
        @Test func fromTheLog() throws {
            try cluster.create("out", partitions: 2)
            for _ in 1...2 {
                _ = try trained.log.run(
                    """
                    topics:
                      raw: {bytes: true}
                      out: \(kafka("out", ", features: encode, label: true"))
                    stages:
                      encode:
                        kind: preprocess
                        from: raw
                        to: out
                        \(Self.features)
                    """)
                let records = try cluster.records("out", partition: 0)
                #expect(records.count == trained.rows.count)
                for (row, record) in records.enumerated() {
                    #expect(Self.floats(record.value ?? []) == expected(row))
                }
            }
        }

        // MARK: Rows that cannot be encoded

        private func sendBad() throws {
            try cluster.create("in", partitions: 1)
            try cluster.create("out", partitions: 1)
            try cluster.produce(
                [
                    TestRecord(trained.object(0), number: 0), TestRecord("{\"a\":1}", number: 1),
                    TestRecord("{\"a\":", number: 2), TestRecord(trained.object(3), number: 3),
                ], to: "in", partition: 0)
        }

        private func run(_ more: String, badRows: String) throws -> RunResult {
            try trained.log.run(
                pipeline(
                    from: kafka("in", more), to: kafka("out", ", features: encode, label: true"),
                    Self.features + "\n    badRows: \(badRows)"))
        }

        @Test func badRowsAreSkipped() throws {
            try sendBad()
            let result = try run("", badRows: "skip")
            #expect(result.summary.stages.first?.rowsRejected == 2)
            #expect(try cluster.records("out", partition: 0).map(\.key) == [[48], [51]])
        }

        @Test func badRowsStop() throws {
            try sendBad()
            let error = #expect(throws: PipelineError.self) { try run("", badRows: "fail") }
            #expect(error?.code == .badData)
            #expect(error?.description.contains("partition 0, offset 1") == true)
            // Everything before it is done.
            #expect(try cluster.records("out", partition: 0).map(\.key) == [[48]])
        }

        @Test func badRowsArePutAside() throws {
            try sendBad()
            try cluster.create("in.dead-letters", partitions: 1)
            _ = try run(", onBadRecord: dead-letter", badRows: "skip")
            #expect(try cluster.records("out", partition: 0).count == 2)
            let letters = try cluster.records("in.dead-letters", partition: 0)
            #expect(letters.map(\.key) == [[49], [50]])
            #expect(letters[1].value == Array("{\"a\":".utf8))
            let reasons = letters.map { letter in
                letter.headers.first.map { String(decoding: $0.value, as: UTF8.self) }
            }
            #expect(reasons == ["missing-label", "malformed-json"])
        }

        // MARK: Kills

        /// Members that are killed at moments nobody chose: the output tells what is done.
        @Test func membersThatAreKilled() throws {
            try cluster.create("in", partitions: 1)
            let file = trained.log.directory.file("encode.yaml")
            let text = try pipeline(
                from: kafka("in"), to: "{features: encode, label: true}")
            try Files.writeDurably(file, Array(text.utf8))
            let arguments = ["run", file, "--share-cores", "--json"]
            let kills = Environment.number("MILLRACE_KILLS", or: 3)
            let seed = UInt64.random(in: 0...UInt64.max)
            var random = SplitMix64(seed: seed)
            var stops: Set<Int> = []
            var sent = 0
            func done() -> Int {
                (try? Int(trained.log.data.topic("out").endOffset(partition: 0))) ?? 0
            }
            for _ in 0..<kills {
                try trained.runTool(arguments) {
                    try cluster.produce(
                        (sent..<sent + 9000).map { TestRecord(trained.object($0), number: $0) },
                        to: "in", partition: 0)
                    sent += 9000
                    let target = done() + Int(random.next() % 9000)
                    _ = eventually { done() >= min(target, sent) }
                }
                stops.insert(done())
            }
            try trained.runToolToEnd(arguments)
            let rows = try trained.log.rows("out", partition: 0)
            #expect(rows.map(\.source) == (0..<sent).map { UInt64($0) })
            let wrong = rows.enumerated().count { number, row in
                row.features + [row.label ?? .nan] != expected(number)
            }
            #expect(wrong == 0)
            // The moments have to differ for the test to be one.
            #expect(stops.count > kills / 2, "\(stops), seed \(seed)")
        }
    }

    extension TestRecord {
        /// A record of text, with its number as key.
        fileprivate init(_ text: String, number: Int) {
            self.init(
                value: Array(text.utf8), key: Array("\(number)".utf8),
                milliseconds: 1_700_000_000_000 + Int64(number))
        }
    }

    extension TrainedLog {
        private func fields(_ row: Int) -> [Substring] {
            lines[row % lines.count].split(separator: ",")
        }

        /// A row as an object.
        fileprivate func object(_ row: Int) -> String {
            let fields = fields(row)
            return "{\"y\":\(fields[2]),\"b\":\(fields[1]),\"a\":\(fields[0])}"
        }

        /// A row's label.
        func label(_ row: Int) -> Float { fields(row)[2] == "0" ? 0 : 1 }
    }
#endif
