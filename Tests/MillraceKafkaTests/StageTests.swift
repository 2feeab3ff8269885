#if Kafka
    import CRdKafka
    import Millrace
    import MillraceLog
    import MillraceSystem
    import MillraceTestSupport
    import Testing

    @testable import MillraceKafka

    /// Score stages between topics of Kafka and of the log.
    @Suite(.serialized) struct KafkaStageTests {
        private let trained: TrainedLog
        private let cluster: MockCluster

        init() throws {
            trained = try TrainedLog()
            cluster = try MockCluster()
        }

        /// Each record has one prediction, the same as the log's stage makes, with its key, time and
        /// place.
        ///
        /// That a second run adds nothing the mock cannot tell: it keeps no offsets of transactions.
        @Test func vectors() throws {
            try cluster.create("in", partitions: 3)
            try cluster.create("out", partitions: 3)
            try trained.send(0..<300, to: "in", partitions: 3, of: cluster)
            let result = try trained.stage(
                from: cluster.address("in"), to: cluster.address("out")
            ).run()
            let stage = try #require(result.summary.stages.first)
            #expect(stage.rowsRead == 300 && stage.rowsWritten == 300)
            #expect(stage.modelVersions == [1: 300])
            for partition in 0..<3 {
                let records = try cluster.records("out", partition: partition)
                #expect(records.count == 100)
                for (index, record) in records.enumerated() {
                    let number = 3 * index + partition
                    let sent = trained.vector(number)
                    #expect(record.key == sent.key)
                    #expect(record.milliseconds == sent.milliseconds)
                    let prediction = try TestPrediction(record)
                    #expect(trained.isRight(prediction, row: number), "\(prediction)")
                    let best = prediction.outputs?[1] ?? 0 > 0.5 ? "yes" : "no"
                    #expect(prediction.prediction == best)
                    #expect(prediction.model == "m@1" && prediction.source.topic == "in")
                    #expect(prediction.source.partition == partition)
                    #expect(prediction.source.offset == index)
                }
            }
        }

        /// Columns by name and lines of CSV are encoded as the model's rows were.
        @Test(arguments: ["json", "csv", "columns"])
        func rawRows(_ form: String) throws {
            try cluster.create("in", partitions: 1)
            try cluster.create("out", partitions: 1)
            try cluster.produce(
                trained.lines.map { line in
                    let parts = line.split(separator: ",")
                    let text =
                        switch form {
                        case "csv": line
                        case "columns": "\(parts[1]),\(parts[0])"
                        default: "{\"b\":\"\(parts[1])\",\"more\":[{}],\"a\":\(parts[0])}"
                        }
                    return TestRecord(value: Array(text.utf8))
                }, to: "in", partition: 0)
            _ = try trained.stage(from: cluster.address("in"), to: cluster.address("out")) {
                $0.rowFormat = form == "json" ? .json : .csv
                if form == "columns" { $0.columns = ["b", "a"] }
            }.run()
            let predictions = try cluster.predictions("out", partition: 0)
            #expect(predictions.count == trained.lines.count)
            for (index, prediction) in predictions.enumerated() {
                #expect(trained.isRight(prediction, row: index))
            }
        }

        /// Vectors of float32 in, outputs of float32 out, with the place in headers.
        @Test func numbers() throws {
            try cluster.create("in", partitions: 1)
            try cluster.create("out", partitions: 1)
            try cluster.produce(
                trained.rows.map { TestRecord(value: Self.bytes($0)) }, to: "in", partition: 0)
            _ = try trained.stage(from: cluster.address("in"), to: cluster.address("out")) {
                $0.rowFormat = .float32
                $0.predictionFormat = .float32
            }.run()
            let records = try cluster.records("out", partition: 0)
            #expect(records.map(\.value) == trained.expected.map { Self.bytes($0) })
            #expect(
                records.last?.headers == [
                    RowHeader("millrace-model", Array("m@1".utf8)),
                    RowHeader("millrace-source", Array("in/0/\(records.count - 1)".utf8)),
                ])
        }

        private static func bytes(_ numbers: [Float]) -> [UInt8] {
            var bytes: [UInt8] = []
            for number in numbers { LittleEndianBytes.append(number.bitPattern, to: &bytes) }
            return bytes
        }

        /// Blocks, which a mirror has made, are scored row by row.
        @Test func blocks() throws {
            try cluster.create("in", partitions: 1)
            try cluster.create("out", partitions: 1)
            let source = try trained.log.create(
                "vectors", TopicConfiguration(kind: .features, features: 2))
            try trained.log.append(
                trained.rows.map { TestRow(features: $0, milliseconds: 1) }, to: source,
                partition: 0, batch: 7)
            let summary = try trained.log.mirror(
                "vectors", to: cluster.address("in"), .quick.with { $0.format = .block })
            #expect(summary.records < trained.rows.count / 4)
            _ = try trained.stage(from: cluster.address("in"), to: cluster.address("out")) {
                $0.rowFormat = .block
            }.run()
            let predictions = try cluster.predictions("out", partition: 0)
            #expect(predictions.count == trained.rows.count)
            for (index, prediction) in predictions.enumerated() {
                #expect(trained.isRight(prediction, row: index))
            }
        }

        /// From Kafka into the log: each record once, with its offset; what is no row is recorded.
        @Test func intoTheLog() throws {
            try cluster.create("in", partitions: 1)
            let pipeline = """
                topics:
                  in:
                    kafka: '\(try cluster.address("in"))'
                    onBadRecord: skip
                    properties: {session.timeout.ms: 6000, heartbeat.interval.ms: 500}
                  predicted: {predictions: true}
                stages:
                  \(TrainedLog.group): {kind: score, from: in, to: predicted, model: m}
                """
            for round in 1...2 {
                try cluster.produce(
                    (0..<50).map { trained.vector($0) } + [TestRecord(value: [0x7B])], to: "in",
                    partition: 0)
                let result = try trained.log.run(pipeline)
                #expect(result.summary.stages.first?.rowsRead == 51)
                #expect(result.summary.stages.first?.rowsRejected == 1)
                let rows = try trained.log.rows("predicted", partition: 0)
                #expect(rows.count == 50 * round)
                for (index, row) in rows.enumerated() {
                    #expect(row.features == trained.expected[index % 50])
                    #expect(row.source == UInt64(index / 50 * 51 + index % 50))
                }
                let drops = try trained.log.drops("predicted", partition: 0)
                #expect(drops == (round == 1 ? [50: 81] : [50: 81, 101: 81]))
            }
            // What the group has committed is a copy, for those who look at lag.
            #expect(try cluster.committed(TrainedLog.group, "in", partitions: 1) == [102])
        }

        /// From the log to Kafka, at least once; a run that ended is not repeated.
        @Test func fromTheLog() throws {
            try cluster.create("out", partitions: 2)
            let pipeline = """
                topics:
                  rows: {features: 2, label: true}
                  out: {kafka: '\(try cluster.address("out"))', predictions: true}
                stages:
                  send: {kind: score, from: rows, to: out, model: m}
                """
            for _ in 1...2 {
                _ = try trained.log.run(pipeline)
                let predictions = try cluster.predictions("out", partition: 0)
                #expect(predictions.count == trained.rows.count)
                for (index, prediction) in predictions.enumerated() {
                    #expect(trained.isRight(prediction, row: index))
                    #expect(prediction.source.topic == "rows" && prediction.source.offset == index)
                }
            }
        }

        // MARK: Records that are no rows

        private func sendBad() throws {
            try cluster.create("in", partitions: 1)
            try cluster.create("out", partitions: 1)
            var bad = TestRecord(
                value: Array("oops".utf8), key: [7], milliseconds: 1_700_000_000_000)
            bad.headers = [RowHeader("h", [1])]
            let records = [
                trained.vector(0), bad, TestRecord(value: nil, key: [8]), trained.vector(1),
            ]
            try cluster.produce(records, to: "in", partition: 0)
        }

        @Test func badRecordsStop() throws {
            try sendBad()
            let run = try trained.stage(from: cluster.address("in"), to: cluster.address("out"))
            let error = try #require(#expect(throws: PipelineError.self) { try run.run() })
            #expect(error.code == .badData)
            #expect(
                error.description.contains("offset 1: byte 0 of the value: expected"), "\(error)")
            // Everything before it is done.
            #expect(try cluster.records("out", partition: 0).count == 1)
        }

        @Test func badRecordsAreSkipped() throws {
            try sendBad()
            let result = try trained.stage(
                from: cluster.address("in"), to: cluster.address("out")
            ) { $0.onBadRecord = .skip }.run()
            #expect(result.summary.stages.first?.rowsRejected == 2)
            let offsets = try cluster.predictions("out", partition: 0).map(\.source.offset)
            #expect(offsets == [0, 3])
        }

        @Test func badRecordsArePutAside() throws {
            try sendBad()
            let absent = try trained.stage(
                from: cluster.address("in"), to: cluster.address("out")
            ) { $0.onBadRecord = .deadLetter }
            let error = try #require(#expect(throws: PipelineError.self) { try absent.run() })
            #expect(error.code == .noInput && error.description.contains("in.dead-letters"))
            try cluster.create("in.dead-letters", partitions: 1)
            _ = try trained.stage(from: cluster.address("in"), to: cluster.address("out")) {
                $0.onBadRecord = .deadLetter
            }.run()
            #expect(try cluster.records("out", partition: 0).count == 2)
            let letters = try cluster.records("in.dead-letters", partition: 0)
            #expect(letters.map(\.value) == [Array("oops".utf8), []])
            #expect(letters.map(\.key) == [[7], [8]])
            let headers = letters[0].headers.map {
                "\($0.name)=\(String(decoding: $0.value, as: UTF8.self))"
            }
            #expect(headers[0].hasPrefix("h=") && headers[1] == "millrace-reason=undecodable")
            #expect(
                headers[3...] == [
                    "millrace-topic=in", "millrace-partition=0", "millrace-offset=1",
                ])
            #expect(
                letters[1].headers.first.map { String(decoding: $0.value, as: UTF8.self) }
                    == "no-value")
        }
    }
#endif
