#if Kafka
    internal import CRdKafka
    internal import MillraceSystem

    /// Reads partitions of one topic from given offsets on, without a group.
    ///
    /// Records of transactions that were aborted, and of those that are open, are not seen.
    /// **Thread-safety**: one owner.
    @safe final class KafkaConsumer {
        let client: KafkaClient
        /// Nil before the first partition: librdkafka asks for topics that it knows of, and brokers
        /// may make them then.
        private var topic: OpaquePointer?
        private let queue: OpaquePointer
        private var started: [Int32] = []
        private var messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
        private static let most = 1_000

        /// What a poll gives.
        enum Event { case record, endOfPartition }

        init(_ address: KafkaAddress, _ properties: KafkaProperties) throws(KafkaError) {
            client = try KafkaClient(
                .consumer, address, properties,
                fixed: [
                    ("isolation.level", "read_committed"), ("enable.partition.eof", "true"),
                    ("auto.offset.reset", "error"), ("enable.auto.commit", "false"),
                    ("allow.auto.create.topics", "false"),
                ])
            guard let queue = unsafe rd_kafka_queue_new(client.pointer) else {
                throw client.error(rd_kafka_last_error())
            }
            unsafe self.queue = queue
            unsafe messages = .allocate(capacity: Self.most)
            unsafe messages.initialize(repeating: nil, count: Self.most)
        }

        deinit {
            for partition in started { unsafe rd_kafka_consume_stop(topic, partition) }
            unsafe rd_kafka_queue_destroy(queue)
            unsafe topic.map { unsafe rd_kafka_topic_destroy($0) }
            unsafe messages.deallocate()
        }

        /// Begins to fetch a partition, from `offset` on.
        func start(partition: Int, at offset: Int64) throws(KafkaError) {
            if unsafe topic == nil {
                unsafe topic = rd_kafka_topic_new(client.pointer, client.address.topic, nil)
            }
            guard
                unsafe rd_kafka_consume_start_queue(topic, Int32(partition), offset, queue) == 0
            else {
                throw client.error(
                    rd_kafka_last_error(), at: "\(client.address), partition \(partition)")
            }
            started.append(Int32(partition))
        }

        /// Hands over what has been fetched, waiting for the first record for `milliseconds`.
        ///
        /// `body` is also told the end of a partition, with the offset at which that is.
        ///
        /// - Returns: How many events there were.
        func poll(
            milliseconds: Int32,
            _ body: (Event, borrowing FetchedRecord) throws(KafkaError) -> Void
        ) throws(KafkaError) -> Int {
            client.poll()
            guard let first = unsafe rd_kafka_consume_queue(queue, milliseconds) else { return 0 }
            try take(unsafe FetchedRecord(first), body)
            // Those that are there already; a batch would be waited for until it is full.
            let count = unsafe rd_kafka_consume_batch_queue(queue, 0, messages, Self.most)
            var next = 0
            // Whatever happens, each message is given back.
            defer { while let record = unsafe message(&next, count) { _ = consume record } }
            while let record = unsafe message(&next, count) { try take(record, body) }
            return 1 + max(0, count)
        }

        @unsafe
        private func message(_ next: inout Int, _ count: Int) -> FetchedRecord? {
            guard next < count, let message = unsafe messages[next] else { return nil }
            next += 1
            return unsafe FetchedRecord(message)
        }

        private func take(
            _ record: borrowing FetchedRecord,
            _ body: (Event, borrowing FetchedRecord) throws(KafkaError) -> Void
        ) throws(KafkaError) {
            switch record.code {
            case RD_KAFKA_RESP_ERR_NO_ERROR: try body(.record, record)
            case RD_KAFKA_RESP_ERR__PARTITION_EOF: try body(.endOfPartition, record)
            default:
                let found = KafkaError.code(of: record.code)
                // The client connects again by itself; who waits for it watches the clock.
                guard found != .noBroker else { return }
                throw client.error(
                    record.code, record.errorText,
                    at: "\(client.address), partition \(record.partition), offset \(record.offset)")
            }
        }
    }
#endif
