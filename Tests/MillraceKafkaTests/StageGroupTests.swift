#if Kafka
    import CRdKafka
    import Millrace
    import MillraceLog
    import MillraceSystem
    import MillraceTestSupport
    import Testing

    @testable import MillraceKafka

    /// Members of a consumer group that come, go and die, and brokers that do.
    ///
    /// The mock keeps no offsets that a transaction commits. So who goes on where another was is judged
    /// by stages into the log, here; between topics of Kafka it is by `Walkthrough/kills`, against a
    /// broker that keeps them. `MILLRACE_KILLS` sets how many kills.
    @Suite(.serialized) struct KafkaStageGroupTests {
        private let trained: TrainedLog
        private let cluster: MockCluster
        private static let kills = Environment.number("MILLRACE_KILLS", or: 3)

        init() throws {
            trained = try TrainedLog()
            cluster = try MockCluster()
        }

        private func count(_ topic: String, partitions: Int) throws -> Int {
            try (0..<partitions).reduce(0) { try $0 + cluster.records(topic, partition: $1).count }
        }

        /// That each of the first `count` records has one prediction, in order, and a right one.
        private func check(_ topic: String, partitions: Int, count: Int) throws {
            for partition in 0..<partitions {
                let predictions = try cluster.predictions(topic, partition: partition)
                let expected = (0..<count).filter { $0 % partitions == partition }
                #expect(predictions.map(\.source.offset) == Array(expected.indices))
                for (prediction, row) in zip(predictions, expected) {
                    #expect(trained.isRight(prediction, row: row))
                }
            }
        }

        /// The same of a topic of the log.
        private func checkLog(_ topic: String, partitions: Int, count: Int) throws {
            for partition in 0..<partitions {
                let rows = try trained.log.rows(topic, partition: partition)
                let expected = (0..<count).filter { $0 % partitions == partition }
                #expect(rows.map(\.source) == expected.indices.map { UInt64($0) })
                let wrong = zip(rows, expected).count {
                    $0.features != trained.expected[$1 % trained.expected.count]
                }
                #expect(wrong == 0)
            }
        }

        private func logged(_ topic: String, partitions: Int) -> Int {
            (0..<partitions).reduce(0) { sum, partition in
                sum
                    + ((try? Int(trained.log.data.topic(topic).endOffset(partition: partition)))
                        ?? 0)
            }
        }

        /// Two members share the partitions while records come; each record has one prediction.
        @Test(arguments: [Assignor.sticky, .range])
        func membersThatComeAndGo(_ assignor: Assignor) throws {
            try cluster.create("in", partitions: 4)
            _ = try trained.log.create(
                "predicted", TopicConfiguration(partitions: 4, kind: .predictions))
            func member() throws -> RunningStage {
                let source = KafkaTopicDefinition(
                    address: try cluster.address("in"), properties: .shortSessions)
                var definition = try PipelineDefinition.scoring(
                    from: ("in", source), to: ("predicted", nil),
                    model: ModelReference(parsing: "m"), group: TrainedLog.group,
                    data: trained.log.data.path)
                definition.stages[0].assignor = assignor
                return try RunningStage(trained.run(definition, follow: true))
            }
            try trained.send(0..<200, to: "in", partitions: 4, of: cluster)
            let first = try member()
            try #require(eventually { first.rows == 200 || first.hasEnded })
            let second = try member()
            // Until the second one has something to do.
            var sent = 200
            let shared = try eventually {
                try trained.send(sent..<sent + 40, to: "in", partitions: 4, of: cluster)
                sent += 40
                PinnedThread.sleep(nanoseconds: 100_000_000)
                return second.rows > 0 || second.hasEnded
            }
            #expect(shared && second.rows > 0)
            let leaving = try first.stop()
            #expect(leaving.summary.stages.first?.rowsRead ?? 0 > 0)
            try trained.send(sent..<sent + 100, to: "in", partitions: 4, of: cluster)
            sent += 100
            #expect(eventually { logged("predicted", partitions: 4) >= sent })
            // A group that still changes refuses commits; they are said again until it has settled.
            let all = [Int64?](repeating: Int64(sent / 4), count: 4)
            var committed: [Int64?] = []
            let isSettled = try eventually {
                committed = try cluster.committed(TrainedLog.group, "in", partitions: 4)
                return committed == all
            }
            #expect(isSettled, "\(committed) of \(all)")
            _ = try second.stop()
            try checkLog("predicted", partitions: 4, count: sent)
        }

        /// Members that are killed at moments nobody chose: the output tells what is done.
        @Test func membersThatAreKilled() throws {
            try cluster.create("in", partitions: 1)
            let address = try cluster.address("in").description
            let arguments = [
                "score", address, "predicted", "--model", "m", "--group", TrainedLog.group,
                "--share-cores", "--json", "--kafka-property", "session.timeout.ms=6000",
                "--kafka-property", "heartbeat.interval.ms=500", "--patience", "30",
            ]
            let seed = UInt64.random(in: 0...UInt64.max)
            var random = SplitMix64(seed: seed)
            var stops: Set<Int> = []
            var sent = 0
            for _ in 0..<Self.kills {
                try trained.runTool(arguments) {
                    try trained.send(sent..<sent + 9000, to: "in", partitions: 1, of: cluster)
                    sent += 9000
                    let target = logged("predicted", partitions: 1) + Int(random.next() % 9000)
                    _ = eventually { logged("predicted", partitions: 1) >= min(target, sent) }
                }
                stops.insert(logged("predicted", partitions: 1))
            }
            try trained.runToolToEnd(arguments)
            try checkLog("predicted", partitions: 1, count: sent)
            // The moments have to differ for the test to be one.
            #expect(stops.count > Self.kills / 2, "\(stops), seed \(seed)")
        }

        /// A transaction that a broker refuses is taken back, and its records are scored again.
        @Test func transactionsThatFail() throws {
            try cluster.create("in", partitions: 1)
            try cluster.create("out", partitions: 1)
            try trained.send(0..<100, to: "in", partitions: 1, of: cluster)
            cluster.fail(.produce, RD_KAFKA_RESP_ERR_INVALID_RECORD)
            let run = try trained.stage(from: cluster.address("in"), to: cluster.address("out"))
            let outcome = Result { () throws(PipelineError) in try run.run() }
            // Which errors can be taken back is for librdkafka to say; nothing is lost either way.
            if case .failure(let error) = outcome {
                Issue.record("\(error)")
                _ = try trained.stage(
                    from: cluster.address("in"), to: cluster.address("out")
                ).run()
            }
            try check("out", partitions: 1, count: 100)
        }

        // MARK: What goes wrong

        private func failure(
            from input: KafkaAddress, to output: KafkaAddress,
            _ change: (inout KafkaTopicDefinition) -> Void = { _ in }
        ) throws -> PipelineError {
            let begun = Clock.monotonicNanoseconds()
            let run = try trained.stage(from: input, to: output) {
                $0.patienceMilliseconds = 2_000
                change(&$0)
            }
            let error = try #require(#expect(throws: PipelineError.self) { try run.run() })
            let seconds = Double(Clock.monotonicNanoseconds() - begun) / 1e9
            #expect(seconds < 20, "took \(seconds) s")
            return error
        }

        @Test func topicsAndBrokersThatAreNotThere() throws {
            try cluster.create("in", partitions: 1)
            let nobody = try KafkaAddress("kafka://127.0.0.1:1/t")
            #expect(try failure(from: nobody, to: nobody.topic("u")).code == .tryLater)
            let input = try cluster.address("in")
            #expect(try failure(from: input.topic("none"), to: input).code == .noInput)
            let output = try failure(from: input, to: input.topic("none"))
            #expect(output.code == .noInput && output.description.contains("/none"))
        }

        /// A prediction that is too large with its key, behind others.
        ///
        /// The client ends while a partition is being added to its transaction.
        @Test func recordsThatAreTooLarge() throws {
            try cluster.create("in", partitions: 1)
            try cluster.create("out", partitions: 1)
            try trained.send(0..<3, to: "in", partitions: 1, of: cluster)
            var large = trained.vector(3)
            large.key = [UInt8](repeating: 65, count: 900)
            try cluster.produce([large], to: "in", partition: 0)
            let error = try failure(from: cluster.address("in"), to: cluster.address("out")) {
                $0.properties = try! KafkaProperties([("message.max.bytes", "1000")])
            }
            #expect(error.code == .badData && error.description.contains("out"), "\(error)")
            #expect(error.advice?.contains("message.max.bytes") == true)
        }

        /// Lets the brokers be away when the stage has the first 50 records, and sends as many more
        /// when they are back.
        private func loseBrokers(_ stage: RunningStage, seconds: Int64) throws {
            try #require(eventually { stage.rows == 50 || stage.hasEnded })
            cluster.setDown(true)
            PinnedThread.sleep(nanoseconds: seconds * 1_000_000_000)
            cluster.setDown(false)
            try trained.send(50..<100, to: "in", partitions: 1, of: cluster)
        }

        /// Brokers that are away for a while: the stage goes on when they are back.
        ///
        /// It is the same member as before, whose offsets the mock need not know.
        @Test func brokersThatVanish() throws {
            try cluster.create("in", partitions: 1)
            try cluster.create("out", partitions: 1)
            try trained.send(0..<50, to: "in", partitions: 1, of: cluster)
            let stage = try RunningStage(
                trained.stage(
                    from: cluster.address("in"), to: cluster.address("out"), follow: true
                ) { $0.properties = .longSessions })
            try loseBrokers(stage, seconds: 4)
            try #require(
                try eventually { try count("out", partitions: 1) >= 100 || stage.hasEnded })
            _ = try stage.stop()
            try check("out", partitions: 1, count: 100)
        }

        /// Brokers that are away until they have forgotten the member: it joins again, and goes on
        /// where its output ends.
        @Test func brokersThatVanishForLongerThanASession() throws {
            try cluster.create("in", partitions: 1)
            _ = try trained.log.create(
                "predicted", TopicConfiguration(partitions: 1, kind: .predictions))
            try trained.send(0..<50, to: "in", partitions: 1, of: cluster)
            let stage = try RunningStage(
                trained.stage(from: cluster.address("in"), to: nil, follow: true) {
                    $0.patienceMilliseconds = 60_000
                })
            try loseBrokers(stage, seconds: 8)
            try #require(
                eventually { logged("predicted", partitions: 1) >= 100 || stage.hasEnded })
            _ = try stage.stop()
            try checkLog("predicted", partitions: 1, count: 100)
        }

        /// Brokers that stay away end the stage, wherever it writes.
        @Test(arguments: [true, false]) func brokersThatStayAway(_ writesToKafka: Bool) throws {
            try cluster.create("in", partitions: 1)
            try cluster.create("out", partitions: 1)
            _ = try trained.log.create(
                "predicted", TopicConfiguration(partitions: 1, kind: .predictions))
            try trained.send(0..<50, to: "in", partitions: 1, of: cluster)
            let stage = try RunningStage(
                trained.stage(
                    from: cluster.address("in"),
                    to: writesToKafka ? cluster.address("out") : nil, follow: true
                ) {
                    $0.patienceMilliseconds = 3_000
                })
            try #require(eventually { stage.rows == 50 || stage.hasEnded })
            cluster.setDown(true)
            try #require(eventually { stage.hasEnded })
            let error = #expect(throws: PipelineError.self) { try stage.wait() }
            #expect(error?.code == .tryLater, "\(error.map { "\($0)" } ?? "")")
            cluster.setDown(false)
        }
    }
#endif
