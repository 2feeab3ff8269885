#if Kafka
    import CRdKafka
    import MillraceLog
    import MillraceSystem
    import MillraceTestSupport
    import Testing

    @testable import MillraceKafka

    /// Topics to Kafka and back, through librdkafka's mock cluster.
    @Suite(.serialized) struct KafkaMirrorTests {
        private static let bytes = TopicConfiguration(partitions: 3, kind: .bytes)
        private static let features = TopicConfiguration(
            partitions: 3, kind: .features, features: 4, label: true)

        private func rows(_ configuration: TopicConfiguration, _ numbers: Range<Int>) -> [TestRow] {
            var random = SplitMix64(seed: UInt64(numbers.lowerBound))
            return numbers.map { TestRow.random(configuration, $0, &random) }
        }

        /// Out and in again, in two steps each: every row once, with all it has.
        @Test(arguments: [
            (KafkaFormat.bytes, bytes), (.block, bytes), (.float32, features), (.json, features),
            (.block, features),
        ])
        func thereAndBack(_ format: KafkaFormat, _ configuration: TopicConfiguration) throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 3)
            let (here, there) = (try TestLog(), try TestLog())
            let source = try here.create("source", configuration)
            _ = try there.create("copy", configuration)
            let options = MirrorOptions.quick.with { $0.format = format }
            for round in 0..<3 {
                for partition in 0..<3 {
                    try here.append(
                        rows(configuration, round * 1000 + partition * 300..<(round * 1000 + 900)),
                        to: source, partition: partition, batch: 100 + 31 * partition)
                }
                let added = 900 + 600 + 300
                let out = try here.mirror("source", to: cluster.address("k"), options)
                #expect(out.rows == added && out.format == format)
                #expect(format == .block ? out.records < 30 : out.records == added)
                let back = try there.mirror(from: cluster.address("k"), to: "copy", options)
                #expect(back.rows == added && back.records == out.records)
                #expect(back.skipped.isEmpty && back.bytes == out.bytes)
            }
            for partition in 0..<3 {
                let copied = try there.rows("copy", partition: partition)
                let all = try here.rows("source", partition: partition)
                #expect(copied.count == all.count)
                #expect(zip(copied, all).allSatisfy { $0 == $1 }, "partition \(partition)")
                // Where each came from.
                #expect(
                    format == .block || copied.map(\.source) == copied.indices.map { UInt64($0) })
            }
            let nothing = try here.mirror("source", to: cluster.address("k"), options)
            #expect(nothing.rows == 0 && nothing.batches == 0)
            #expect(try there.mirror(from: cluster.address("k"), to: "copy", options).rows == 0)
        }

        /// What a stranger has written, into a topic that is made for it.
        @Test func fromAStranger() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 2)
            let records = [
                TestRecord(value: [1, 2, 3], key: [9], milliseconds: 1_000),
                TestRecord(value: [], key: [], milliseconds: 2_000),
                TestRecord(
                    value: [0xFF], milliseconds: 3_000,
                    headers: [RowHeader("a", [1]), RowHeader("a", []), RowHeader("ü", [0])]),
            ]
            try cluster.produce(records, to: "k", partition: 1)
            let log = try TestLog()
            let summary = try log.mirror(from: cluster.address("k"), to: "local")
            #expect(summary.rows == 3 && summary.partitions.map(\.nextOffset) == [0, 3])
            #expect(try log.data.topic("local").partitions == 2)
            let rows = try log.rows("local", partition: 1)
            #expect(rows.map(\.value) == records.map { $0.value ?? [] })
            // An empty key is a key.
            #expect(rows.map(\.key) == [[9], [], nil])
            #expect(rows.map(\.milliseconds) == [1_000, 2_000, 3_000])
            #expect(rows.map(\.headers) == records.map(\.headers))
            #expect(rows.map(\.source) == [0, 1, 2])
        }

        /// What a stranger reads of rows that were mirrored.
        @Test func toAStranger() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 2)
            let log = try TestLog()
            let source = try log.create("source", Self.features)
            let all = rows(Self.features, 0..<50)
            for partition in 0..<3 {
                try log.append(all, to: source, partition: partition, batch: 9)
            }
            let summary = try log.mirror(
                "source", to: cluster.address("k"), .quick.with { $0.format = .json })
            // Three partitions into two: the third goes where the first does.
            #expect(summary.partitions.map(\.target) == [0, 1, 0])
            let found = try cluster.records("k", partition: 1)
            #expect(found.map(\.key) == all.map(\.key))
            #expect(found.map(\.milliseconds) == all.map(\.milliseconds))
            #expect(found.map(\.headers) == all.map(\.headers))
            #expect(try cluster.records("k", partition: 0).count == 100)
            let progress = try cluster.records("k" + ProgressTopic.suffix, partition: 0)
            #expect(progress.count == 3 && progress.allSatisfy { $0.value == Array("50".utf8) })
            let keys = progress.map { String(decoding: $0.key ?? [], as: UTF8.self) }
            let id = "millrace-mirror-source-\(String(source.id, radix: 16))-k"
            #expect(keys == (0..<3).map { "\(id) \(source.reference)/\($0)" })
        }

        /// Following both ways at once, through brokers that go away and come back.
        @Test func followingThroughOutages() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 1)
            let (here, there) = (try TestLog(), try TestLog())
            let one = TopicConfiguration(kind: .bytes)
            let source = try here.create("source", one)
            let options = MirrorOptions.quick.with { $0.follow = true }
            let address = try cluster.address("k").description
            let out = try RunningMirror(from: "source", to: address, log: here, options)
            let back = try RunningMirror(from: address, to: "copy", log: there, options)
            var written = 0
            for round in 0..<4 {
                if round == 1 { cluster.fail(.produce, RD_KAFKA_RESP_ERR__TRANSPORT) }
                if round == 2 { cluster.setDown(true) }
                try here.append(
                    rows(one, written..<written + 500), to: source, partition: 0, batch: 50)
                written += 500
                if round == 2 {
                    PinnedThread.sleep(nanoseconds: 1_500_000_000)
                    cluster.setDown(false)
                }
                let arrived = eventually {
                    (try? there.rows("copy", partition: 0).count) ?? 0 >= written
                }
                try #require(arrived && !out.hasEnded && !back.hasEnded)
            }
            #expect(try out.stop().rows == written)
            #expect(try back.stop().rows == written)
            #expect(
                try there.rows("copy", partition: 0) == here.rows("source", partition: 0))
        }

        /// Errors that pass make a transaction wait, or be made again.
        @Test func errorsOfTransactionsThatPass() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 1)
            let log = try TestLog()
            let one = TopicConfiguration(kind: .bytes)
            let source = try log.create("source", one)
            let errors: [(MockCluster.Request, rd_kafka_resp_err_t)] = [
                (.initProducerID, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE),
                (.addPartitions, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS),
                (.produce, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION),
                (.endTransaction, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS),
                (.endTransaction, RD_KAFKA_RESP_ERR__TRANSPORT),
                (.listOffsets, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE),
                (.metadata, RD_KAFKA_RESP_ERR__TRANSPORT),
            ]
            for (round, (request, error)) in errors.enumerated() {
                try log.append(
                    rows(one, round * 40..<round * 40 + 40), to: source, partition: 0, batch: 9)
                cluster.fail(request, error)
                let summary = try log.mirror("source", to: cluster.address("k"))
                #expect(summary.rows == 40, "\(request)")
            }
            let found = try cluster.records("k", partition: 0)
            #expect(
                found.map { $0.value ?? [] } == (try log.rows("source", partition: 0)).map(\.value))
        }

        /// Whom the brokers refuse because another has its name now ends, and takes nothing along.
        ///
        /// The mock refuses nobody by itself: that a broker does, only a real one shows.
        @Test func fencing() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 1)
            let log = try TestLog()
            let one = TopicConfiguration(kind: .bytes)
            let source = try log.create("source", one)
            try log.append(rows(one, 0..<10), to: source, partition: 0, batch: 10)
            let address = try cluster.address("k").description
            let first = try RunningMirror(
                from: "source", to: address, log: log, .quick.with { $0.follow = true })
            let isThere = try eventually { try cluster.records("k", partition: 0).count == 10 }
            try #require(isThere)
            cluster.fail(.addPartitions, RD_KAFKA_RESP_ERR_PRODUCER_FENCED)
            try log.append(rows(one, 10..<20), to: source, partition: 0, batch: 10)
            try #require(eventually { first.hasEnded })
            let error = #expect(throws: KafkaError.self) { try first.wait() }
            #expect(error?.code == .fenced, "\(error.map { "\($0)" } ?? "")")
            #expect(try log.mirror("source", to: cluster.address("k")).rows == 10)
            let found = try cluster.records("k", partition: 0)
            #expect(
                found.map { $0.value ?? [] } == (try log.rows("source", partition: 0)).map(\.value))
        }
    }
#endif
