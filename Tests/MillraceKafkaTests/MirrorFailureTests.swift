#if Kafka
    import CRdKafka
    import MillraceLog
    import MillraceSystem
    import MillraceTestSupport
    import Testing

    @testable import MillraceKafka

    /// What goes wrong between Kafka and us: a clear error, in bounded time, and nothing lost.
    @Suite(.serialized) struct KafkaMirrorFailureTests {
        private static let impatient = MirrorOptions(
            patienceMilliseconds: 2_000, connectMilliseconds: 1_500)

        private func failure(_ body: () throws -> MirrorSummary) throws -> KafkaError {
            let begun = Clock.monotonicNanoseconds()
            let error = try #require(#expect(throws: KafkaError.self) { try body() })
            let seconds = Double(Clock.monotonicNanoseconds() - begun) / 1e9
            #expect(seconds < 20, "took \(seconds) s")
            #expect(!error.message.contains("\n") && !error.message.isEmpty)
            return error
        }

        @Test(arguments: ["kafka://127.0.0.1:1/t", "kafka://no-such-host.invalid:9092/t"])
        func noBroker(_ address: String) throws {
            let log = try TestLog()
            let error = try failure {
                try log.mirror(from: KafkaAddress(address), to: "local", Self.impatient)
            }
            #expect(error.code == .noBroker, "\(error)")
            #expect(error.place == address && error.advice != nil)
            // Nothing was made for what is not there.
            #expect(try log.data.topicNames().isEmpty)
            _ = try log.create("source", TopicConfiguration(kind: .bytes))
            let out = try failure {
                try log.mirror("source", to: KafkaAddress(address), Self.impatient)
            }
            #expect(out.code == .noBroker, "\(out)")
        }

        /// A port where something else answers.
        @Test func noKafka() throws {
            let cluster = try MockCluster(brokers: 1)
            let log = try TestLog()
            let error = try failure {
                try log.mirror(
                    from: cluster.address("t"), to: "local",
                    Self.impatient.with {
                        $0.properties = try! KafkaProperties([("security.protocol", "SSL")])
                    })
            }
            #expect([.notAuthenticated, .noBroker].contains(error.code), "\(error)")
        }

        @Test func noSuchTopic() throws {
            let cluster = try MockCluster()
            let log = try TestLog()
            let error = try failure {
                try log.mirror(from: cluster.address("none"), to: "local", Self.impatient)
            }
            #expect(error.code == .noSuchTopic, "\(error)")
            _ = try log.create("source", TopicConfiguration(kind: .bytes))
            let out = try failure {
                try log.mirror("source", to: cluster.address("none"), Self.impatient)
            }
            #expect(out.code == .noSuchTopic, "\(out)")
            try cluster.create("k", partitions: 1)
            let local = try failure {
                try log.mirror("none", to: cluster.address("k"), Self.impatient)
            }
            #expect(local.cause?.code == .notFound)
        }

        @Test func notAuthorised() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 1)
            let log = try TestLog()
            let source = try log.create("source", TopicConfiguration(kind: .bytes))
            try log.append(
                [TestRow(value: [1], milliseconds: 1)], to: source, partition: 0, batch: 1)
            cluster.fail(.produce, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
            let out = try failure {
                try log.mirror("source", to: cluster.address("k"), Self.impatient)
            }
            #expect(out.code == .notAuthorised, "\(out)")
            cluster.setError("k", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
            let error = try failure {
                try log.mirror(from: cluster.address("k"), to: "local", Self.impatient)
            }
            #expect(error.code == .notAuthorised, "\(error)")
        }

        @Test func propertiesThatLibrdkafkaRefuses() throws {
            let cluster = try MockCluster(brokers: 1)
            let log = try TestLog()
            func refusal(_ name: String, _ value: String) throws -> KafkaError {
                try failure {
                    try log.mirror(
                        from: cluster.address("t"), to: "local",
                        Self.impatient.with {
                            $0.properties = try! KafkaProperties([(name, value)])
                        })
                }
            }
            #expect(try refusal("no.such.property", "1").message.contains("no.such.property"))
            let number = try refusal("fetch.min.bytes", "many")
            #expect(number.code == .invalidArgument && number.message.contains("fetch.min.bytes"))
            // What a secret is, is not said, whoever is wrong about it.
            for (name, value) in [
                ("ssl.key.pem", "hunter2"), ("ssl.keystore.password", "hunter2"),
                ("sasl.oauthbearer.client.secret", "hunter2"),
            ] {
                let options = Self.impatient.with {
                    $0.properties = try! KafkaProperties([
                        ("security.protocol", "SSL"), (name, value),
                    ])
                }
                let error = try failure {
                    try log.mirror(from: cluster.address("t"), to: "local", options)
                }
                #expect(!"\(error)".contains("hunter2"), "\(error)")
            }
        }

        /// A broker that is away for longer than the patience, and one that comes back.
        @Test func brokersThatVanish() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 1)
            let log = try TestLog()
            let records = (0..<2000).map { TestRecord(value: Array("\($0)".utf8)) }
            try cluster.produce(Array(records[..<1000]), to: "k", partition: 0)
            let address = try cluster.address("k").description
            let following = try RunningMirror(
                from: address, to: "local", log: log, Self.impatient.with { $0.follow = true })
            let isThere = eventually {
                (try? log.rows("local", partition: 0).count) ?? 0 == 1000
            }
            try #require(isThere)
            cluster.setDown(true)
            try #require(eventually { following.hasEnded })
            let error = #expect(throws: KafkaError.self) { _ = try following.wait() }
            #expect(error?.code == .noBroker, "\(error.map { "\($0)" } ?? "")")
            cluster.setDown(false)
            try cluster.produce(Array(records[1000...]), to: "k", partition: 0)
            #expect(try log.mirror(from: cluster.address("k"), to: "local").rows == 1000)
            #expect(
                try log.rows("local", partition: 0).map(\.value) == records.map { $0.value ?? [] })
        }

        @Test func recordsThatAreTooLarge() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 1)
            let log = try TestLog()
            let source = try log.create(
                "source", TopicConfiguration(kind: .bytes, codec: .none))
            let small = TestRow(value: [1], milliseconds: 1)
            let large = TestRow(value: [UInt8](repeating: 7, count: 3000), milliseconds: 2)
            try log.append([small, large], to: source, partition: 0, batch: 1)
            func options(_ bytes: Int, _ format: KafkaFormat) -> MirrorOptions {
                Self.impatient.with {
                    $0.format = format
                    $0.properties = try! KafkaProperties([("message.max.bytes", "\(bytes)")])
                }
            }
            for format in [KafkaFormat.bytes, .block] {
                let error = try failure {
                    try log.mirror("source", to: cluster.address("k"), options(2000, format))
                }
                #expect(error.code == .tooLarge, "\(error)")
                #expect(error.place?.contains("partition 0") == true)
            }
            #expect(
                try log.mirror("source", to: cluster.address("k"), options(100_000, .bytes)).rows
                    == 2)
            // The broker's limit, whatever the client's is.
            try log.append([small], to: source, partition: 0, batch: 1)
            cluster.fail(.produce, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
            let error = try failure {
                try log.mirror("source", to: cluster.address("k"), Self.impatient)
            }
            #expect(error.code == .tooLarge, "\(error)")
        }

        @Test func recordsThatDoNotDecode() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 1)
            let log = try TestLog()
            _ = try log.create("local", TopicConfiguration(kind: .features, features: 1))
            let good = TestRecord(value: [0, 0, 0x80, 0x3F])
            let bad = TestRecord(value: [1, 2, 3])
            try cluster.produce([good, bad, good], to: "k", partition: 0)
            try cluster.produce([TestRecord(value: nil, key: [1])], to: "k", partition: 0)
            try cluster.produce([good], to: "k", partition: 0)
            let error = try failure {
                try log.mirror(from: cluster.address("k"), to: "local")
            }
            #expect(error.code == .badRecord)
            #expect(error.place?.hasSuffix("/k, partition 0, offset 1") == true, "\(error)")
            #expect(try log.rows("local", partition: 0).count == 1)
            let summary = try log.mirror(
                from: cluster.address("k"), to: "local", .quick.with { $0.onBadRecord = .skip })
            #expect(summary.rows == 2 && summary.skipped == ["undecodable": 1, "no-value": 1])
            #expect(try log.rows("local", partition: 0).map(\.source) == [0, 2, 4])
            #expect(try log.drops("local", partition: 0) == [1: 81, 3: 80])
        }

        /// Records that Kafka has removed before they were copied, and a topic that is another.
        @Test func recordsThatAreLost() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 1)
            let log = try TestLog()
            let address = try cluster.address("k")
            let first = TestRecord(value: [1])
            try cluster.produce([first], to: "k", partition: 0)
            #expect(try log.mirror(from: address, to: "local").rows == 1)
            // The mock keeps 5 MB.
            let large = TestRecord(value: [UInt8](repeating: 3, count: 100_000))
            for _ in 0..<10 {
                try cluster.produce(
                    [TestRecord](repeating: large, count: 10), to: "k", partition: 0)
            }
            let error = try failure { try log.mirror(from: address, to: "local") }
            #expect(error.code == .offsetOutOfRange, "\(error)")
            #expect(error.message.hasPrefix("offsets 1 to "))
            #expect(try log.rows("local", partition: 0).count == 1)
            let rest = try log.mirror(
                from: address, to: "local", .quick.with { $0.onOutOfRange = .earliest })
            #expect(rest.rows > 0 && rest.rows < 100)
            #expect(try log.rows("local", partition: 0).last?.source == 100)

            let client = try KafkaConsumer(address, KafkaProperties()).client
            let name = client.clusterName(Patience(milliseconds: 5000))
            let lane = try InboundLane(
                log.create("other", TopicConfiguration(kind: .bytes)), source: "kafka:\(name)/k",
                partition: 0, format: .bytes, policy: .stop, start: 0)
            try lane.take(first, offset: 5_000)
            try lane.append()
            let shrunk = try failure { try log.mirror(from: address, to: "other") }
            #expect(shrunk.code == .offsetOutOfRange, "\(shrunk)")
            #expect(shrunk.message.contains("not the topic that it was"))
        }

        @Test func topicsOfAnotherKind() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 1)
            let log = try TestLog()
            _ = try log.create("bytes", TopicConfiguration(kind: .bytes))
            _ = try log.create("numbers", TopicConfiguration(kind: .features, features: 2))
            _ = try log.create("scores", TopicConfiguration(kind: .predictions))
            let address = try cluster.address("k")
            func refusal(_ topic: String, _ format: KafkaFormat?) throws -> KafkaError.Code {
                try failure {
                    try log.mirror(from: address, to: topic, .quick.with { $0.format = format })
                }.code
            }
            #expect(try refusal("bytes", .json) == .invalidArgument)
            #expect(try refusal("numbers", .bytes) == .invalidArgument)
            #expect(try refusal("scores", nil) == .invalidArgument)
            // How many features there are only the user knows.
            #expect(try refusal("new", .json) == .noSuchTopic)
        }

        /// Rows that the local log has removed before they were copied.
        @Test func rowsThatAreLost() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 1)
            let log = try TestLog()
            let source = try log.create(
                "source",
                TopicConfiguration(
                    kind: .bytes, codec: .none, segmentBytes: 1 << 16,
                    retention: RetentionPolicy(bytes: 100_000)))
            let row = TestRow(value: [UInt8](repeating: 1, count: 1000), milliseconds: 1)
            try log.append([row], to: source, partition: 0, batch: 1)
            let address = try cluster.address("k")
            #expect(try log.mirror("source", to: address).rows == 1)
            try log.append(
                [TestRow](repeating: row, count: 400), to: source, partition: 0, batch: 1)
            try source.applyRetention()
            let left = 401 - Int(try source.startOffset(partition: 0))
            try #require(left < 400)
            let error = try failure { try log.mirror("source", to: address) }
            #expect(error.cause?.code == .offsetOutOfRange, "\(error)")
            let rest = try log.mirror(
                "source", to: address, .quick.with { $0.onOutOfRange = .earliest })
            #expect(rest.rows == left)
        }
    }
#endif
