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
        private let records: RecordQueue
        private var started: [Int32] = []

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
            unsafe records = RecordQueue(queue, of: client)
        }

        deinit {
            for partition in started { unsafe rd_kafka_consume_stop(topic, partition) }
            unsafe topic.map { unsafe rd_kafka_topic_destroy($0) }
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
            _ body: (KafkaEvent, borrowing FetchedRecord) throws(KafkaError) -> Void
        ) throws(KafkaError) -> Int {
            client.poll()
            return try records.poll(milliseconds: milliseconds, body)
        }
    }
#endif
