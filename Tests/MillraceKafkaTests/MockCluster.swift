#if Kafka
    import CRdKafka
    import MillraceLog
    import MillraceSystem
    import MillraceTestSupport
    import Testing

    @testable import MillraceKafka

    /// librdkafka's own cluster of brokers, in this process, reachable by others through TCP.
    ///
    /// It keeps what is produced and serves it; it forgets what is beyond 5 MB a partition. Of
    /// transactions it checks the protocol and the epochs, but a fetch shows what was aborted.
    @safe final class MockCluster {
        /// Kinds of requests, as the protocol numbers them.
        enum Request: Int16 {
            case produce = 0
            case fetch = 1
            case listOffsets = 2
            case metadata = 3
            case findCoordinator = 10
            case initProducerID = 22
            case addPartitions = 24
            case endTransaction = 26
        }

        private let host: OpaquePointer
        private let cluster: OpaquePointer
        let bootstrap: String

        init(brokers: Int32 = 3) throws {
            unsafe host = try Self.client(RD_KAFKA_PRODUCER, [("client.id", "mock")])
            unsafe cluster = try #require(unsafe rd_kafka_mock_cluster_new(host, brokers))
            bootstrap = unsafe String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
        }

        deinit {
            unsafe rd_kafka_mock_cluster_destroy(cluster)
            unsafe rd_kafka_destroy(host)
        }

        @unsafe
        private static func client(
            _ type: rd_kafka_type_t, _ properties: [(String, String)]
        ) throws -> OpaquePointer {
            let configuration = unsafe rd_kafka_conf_new()
            var text = [CChar](repeating: 0, count: 512)
            for (name, value) in properties + [("log_level", "0")] {
                let result = unsafe rd_kafka_conf_set(
                    configuration, name, value, &text, text.count)
                try #require(result == RD_KAFKA_CONF_OK)
            }
            return unsafe try #require(
                unsafe rd_kafka_new(type, configuration, &text, text.count))
        }

        func address(_ topic: String) throws -> KafkaAddress {
            try KafkaAddress("kafka://\(bootstrap)/\(topic)")
        }

        func create(_ topic: String, partitions: Int32) throws {
            let code = unsafe rd_kafka_mock_topic_create(cluster, topic, partitions, 1)
            try #require(code == RD_KAFKA_RESP_ERR_NO_ERROR)
        }

        /// Lets the next requests of a kind fail so; `_TRANSPORT` drops the connection.
        func fail(_ request: Request, _ errors: rd_kafka_resp_err_t...) {
            unsafe rd_kafka_mock_push_request_errors_array(
                cluster, request.rawValue, errors.count, errors)
        }

        /// Lets every question about a topic fail so.
        func setError(_ topic: String, _ error: rd_kafka_resp_err_t) {
            unsafe rd_kafka_mock_topic_set_error(cluster, topic, error)
        }

        /// Takes all brokers down, or up again; or one of them, counted from 1.
        func setDown(_ isDown: Bool, broker: Int32 = -1) {
            _ =
                unsafe isDown
                ? rd_kafka_mock_broker_set_down(cluster, broker)
                : rd_kafka_mock_broker_set_up(cluster, broker)
        }

        /// Says which broker looks after a group.
        func coordinate(group: String, by broker: Int32) {
            _ = unsafe rd_kafka_mock_coordinator_set(cluster, "group", group, broker)
        }

        /// Says which broker looks after what is written under a transactional id.
        func coordinate(transactions id: String, by broker: Int32) {
            _ = unsafe rd_kafka_mock_coordinator_set(cluster, "transaction", id, broker)
        }

        /// Delays every answer.
        func setDelay(milliseconds: Int32) {
            unsafe rd_kafka_mock_broker_set_rtt(cluster, -1, milliseconds)
        }

        // MARK: A peer that knows nothing of Millrace

        func produce(_ records: [TestRecord], to topic: String, partition: Int) throws {
            let client = unsafe try Self.client(
                RD_KAFKA_PRODUCER,
                [("bootstrap.servers", bootstrap), ("linger.ms", "0"), ("acks", "all")])
            defer { unsafe rd_kafka_destroy(client) }
            let handle = unsafe try #require(unsafe rd_kafka_topic_new(client, topic, nil))
            defer { unsafe rd_kafka_topic_destroy(handle) }
            for record in records {
                var headers: OpaquePointer?
                if !record.headers.isEmpty {
                    unsafe headers = rd_kafka_headers_new(record.headers.count)
                    for header in record.headers {
                        _ = unsafe rd_kafka_header_add(
                            headers, header.name, -1, header.value, header.value.count)
                    }
                }
                let key = record.key ?? []
                var code = RD_KAFKA_RESP_ERR_NO_ERROR
                repeat {
                    if let value = record.value {
                        code = unsafe crk_produce(
                            client, handle, Int32(partition), record.key == nil ? 0 : 1, key,
                            key.count, value, value.count, record.milliseconds, headers)
                    } else {
                        // A record without a value, which the shim does not make.
                        code =
                            unsafe rd_kafka_produce(
                                handle, Int32(partition), Int32(RD_KAFKA_MSG_F_COPY), nil, 0, key,
                                key.count, nil) == 0
                            ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error()
                    }
                    if code == RD_KAFKA_RESP_ERR__QUEUE_FULL {
                        _ = unsafe rd_kafka_poll(client, 10)
                    }
                } while code == RD_KAFKA_RESP_ERR__QUEUE_FULL
                try #require(code == RD_KAFKA_RESP_ERR_NO_ERROR)
            }
            let code = unsafe rd_kafka_flush(client, 30_000)
            try #require(code == RD_KAFKA_RESP_ERR_NO_ERROR)
        }

        /// Everything that is in a partition.
        func records(_ topic: String, partition: Int) throws -> [TestRecord] {
            let client = unsafe try Self.client(
                RD_KAFKA_CONSUMER,
                [("bootstrap.servers", bootstrap), ("enable.partition.eof", "true")])
            defer { unsafe rd_kafka_destroy(client) }
            let handle = unsafe try #require(unsafe rd_kafka_topic_new(client, topic, nil))
            defer { unsafe rd_kafka_topic_destroy(handle) }
            let number = Int32(partition)
            try #require(unsafe rd_kafka_consume_start(handle, number, -2) == 0)
            defer { unsafe rd_kafka_consume_stop(handle, number) }
            var records: [TestRecord] = []
            let deadline = Clock.monotonicNanoseconds() + 30_000_000_000
            while Clock.monotonicNanoseconds() < deadline {
                guard let message = unsafe rd_kafka_consume(handle, number, 1000) else { continue }
                let fetched = unsafe FetchedRecord(message)
                if fetched.code == RD_KAFKA_RESP_ERR__PARTITION_EOF { return records }
                try #require(fetched.code == RD_KAFKA_RESP_ERR_NO_ERROR)
                var record = TestRecord(value: fetched.value?.copied, key: fetched.key?.copied)
                record.milliseconds = fetched.milliseconds ?? 0
                record.headers = try fetched.headers()
                records.append(record)
            }
            throw Complaint("the end of \(topic), partition \(partition) was not reached")
        }
    }

    extension TestLog {
        /// Copies from Kafka, to the end.
        func mirror(
            from address: KafkaAddress, to topic: String, _ options: MirrorOptions = .quick
        ) throws -> MirrorSummary {
            try KafkaMirror(
                from: address.description, to: topic, data: data.path, options: options
            ).run()
        }

        /// Copies to Kafka, to the end.
        func mirror(
            _ topic: String, to address: KafkaAddress, _ options: MirrorOptions = .quick
        ) throws -> MirrorSummary {
            try KafkaMirror(
                from: topic, to: address.description, data: data.path, options: options
            ).run()
        }
    }

    extension MirrorOptions {
        /// For a cluster that is on this machine.
        static var quick: MirrorOptions {
            MirrorOptions(patienceMilliseconds: 30_000, connectMilliseconds: 5_000)
        }

        func with(_ change: (inout MirrorOptions) -> Void) -> MirrorOptions {
            var options = self
            change(&options)
            return options
        }
    }

    /// A mirror on a thread of its own.
    final class RunningMirror: Sendable {
        private let mirror: KafkaMirror
        private let outcome = Lock<Result<MirrorSummary, KafkaError>?>(nil)
        private let thread: PinnedThread

        init(from: String, to: String, log: TestLog, _ options: MirrorOptions) throws {
            let mirror = try KafkaMirror(
                from: from, to: to, data: log.data.path, options: options)
            let outcome = outcome
            self.mirror = mirror
            thread = try PinnedThread(name: "mirror", core: nil) {
                let result = Result { () throws(KafkaError) in try mirror.run() }
                outcome.withLock { $0 = result }
            }
        }

        /// Whether it has ended by itself.
        var hasEnded: Bool { outcome.withLock { $0 != nil } }

        /// Asks it to end, and waits until it has.
        func stop() throws(KafkaError) -> MirrorSummary {
            mirror.stop()
            return try wait()
        }

        /// Waits until it has ended.
        func wait() throws(KafkaError) -> MirrorSummary {
            thread.join()
            guard let result = outcome.withLock({ $0 }) else {
                preconditionFailure("the mirror left no outcome")
            }
            return try result.get()
        }
    }

    /// Waits for something to become true; false when it does not within a minute and a half.
    func eventually(_ holds: () throws -> Bool) rethrows -> Bool {
        for _ in 0..<9000 {
            if try holds() { return true }
            PinnedThread.sleep(nanoseconds: 10_000_000)
        }
        return false
    }
#endif
