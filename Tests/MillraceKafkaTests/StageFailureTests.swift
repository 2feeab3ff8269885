#if Kafka
    import CRdKafka
    import Millrace
    import MillraceLog
    import MillraceSystem
    import MillraceTestSupport
    import Testing

    @testable import MillraceKafka

    /// What clusters refuse, and certificates that nobody vouches for: errors that come soon, say
    /// what it is, and lose nothing.
    @Suite(.serialized) struct KafkaStageFailureTests {
        private let trained: TrainedLog
        private let cluster: MockCluster

        init() throws {
            trained = try TrainedLog()
            cluster = try MockCluster()
            for topic in ["in", "out"] { try cluster.create(topic, partitions: 1) }
        }

        /// The error that ends a stage, which comes soon.
        private func failure(
            from input: KafkaAddress? = nil, _ properties: [(String, String)] = []
        ) throws -> PipelineError {
            let begun = Clock.monotonicNanoseconds()
            let input = try input ?? cluster.address("in")
            let run = try trained.stage(from: input, to: input.topic("out")) {
                $0.patienceMilliseconds = 5_000
                for (name, value) in properties { try! $0.properties.set(name, value) }
            }
            let error = try #require(#expect(throws: PipelineError.self) { try run.run() })
            let seconds = Double(Clock.monotonicNanoseconds() - begun) / 1e9
            #expect(seconds < 25, "took \(seconds) s: \(error)")
            return error
        }

        // MARK: Certificates

        /// A server with a certificate that it has signed itself.
        private func selfSigned() throws -> (server: ChildProcess, address: KafkaAddress) {
            let (key, certificate) = (
                trained.log.directory.file("key.pem"), trained.log.directory.file("own.pem")
            )
            let made = try ChildProcess(
                "/usr/bin/openssl",
                [
                    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                    certificate, "-days", "2", "-subj", "/CN=nobody",
                ])
            try #require(made.wait() == .code(0))
            let port = try ListeningSocket(host: "127.0.0.1", port: 0).port
            let server = try ChildProcess(
                "/usr/bin/openssl",
                [
                    "s_server", "-quiet", "-accept", "127.0.0.1:\(port)", "-key", key, "-cert",
                    certificate,
                ])
            return (server, try KafkaAddress("kafka://127.0.0.1:\(port)/in"))
        }

        @Test(.enabled(if: Files.exists("/usr/bin/openssl")))
        func certificatesThatNobodyVouchesFor() throws {
            let (server, address) = try selfSigned()
            defer { server.kill() }
            let error = try failure(from: address, [("security.protocol", "SSL")])
            #expect(error.code == .inputOutput, "\(error)")
            #expect(error.description.contains("certificate verify failed"), "\(error)")
            #expect(error.advice?.contains("certificates") == true)
        }

        /// TLS where the broker speaks none.
        @Test func brokersWithoutTLS() throws {
            let error = try failure([("security.protocol", "SSL")])
            #expect(error.code == .tryLater, "\(error)")
            #expect(error.description.contains("SSL_HANDSHAKE"), "\(error)")
        }

        @Test func certificatesThatAreNotThere() throws {
            let error = try failure([
                ("security.protocol", "SSL"), ("ssl.ca.location", "/none/ca.pem"),
            ])
            #expect(error.code == .usage, "\(error)")
            #expect(error.description.contains("ssl.ca.location"), "\(error)")
        }

        // MARK: Rights

        @Test func topicsThatMayNotBeRead() throws {
            cluster.setError("in", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
            let error = try failure()
            #expect(error.code == .inputOutput && error.description.contains("/in"), "\(error)")
        }

        @Test func groupsThatMayNotBeJoined() throws {
            try trained.send(0..<10, to: "in", partitions: 1, of: cluster)
            cluster.fail(
                .findCoordinator, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
                RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
                RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
                RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
            let error = try failure()
            #expect(error.code == .inputOutput, "\(error)")
            #expect(error.description.lowercased().contains("authorization"), "\(error)")
        }

        @Test func topicsThatMayNotBeWritten() throws {
            try trained.send(0..<10, to: "in", partitions: 1, of: cluster)
            cluster.fail(.addPartitions, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
            let run = try trained.stage(from: cluster.address("in"), to: cluster.address("out")) {
                $0.patienceMilliseconds = 5_000
            }
            // Whether it is taken back and tried again is for librdkafka to say; nothing is lost.
            if case .failure(let error) = Result(catching: { try run.run() }) {
                #expect("\(error)".lowercased().contains("authorization"), "\(error)")
                _ = try trained.stage(
                    from: cluster.address("in"), to: cluster.address("out")
                ).run()
            }
            #expect(try cluster.records("out", partition: 0).count >= 10)
        }

        // MARK: Sizes

        /// A broker that takes no record of that size.
        @Test func recordsThatBrokersFindTooLarge() throws {
            try trained.send(0..<10, to: "in", partitions: 1, of: cluster)
            cluster.fail(.produce, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
            let error = try failure()
            #expect(error.code == .badData && error.description.contains("out"), "\(error)")
        }

        // MARK: Static members

        /// A member with a name of its own does its work and comes back under it.
        @Test func membersWithNames() throws {
            for round in 1...2 {
                try trained.send(0..<20, to: "in", partitions: 1, of: cluster)
                let source = KafkaTopicDefinition(
                    address: try cluster.address("in"), properties: .shortSessions)
                let definition = try PipelineDefinition.scoring(
                    from: ("in", source), to: ("predicted", nil),
                    model: ModelReference(parsing: "m"), group: TrainedLog.group,
                    data: trained.log.data.path)
                let result = try trained.run(definition, instance: "one").run()
                #expect(result.summary.stages.first?.rowsRead == 20)
                #expect(try trained.log.rows("predicted", partition: 0).count == 20 * round)
            }
        }
    }
#endif
