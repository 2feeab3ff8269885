#if Kafka
    internal import CRdKafka

    /// What a poll gives: a record, or the end of a partition.
    package enum KafkaEvent { case record, endOfPartition }

    /// Where librdkafka puts what it has fetched: records, and ends of partitions.
    ///
    /// **Thread-safety**: one owner.
    @safe final class RecordQueue {
        private let client: KafkaClient
        private let queue: OpaquePointer
        private let messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
        /// The most events of one poll, but for the first.
        static let most = 1_000

        /// Takes `queue` over.
        @unsafe
        init(_ queue: OpaquePointer, of client: KafkaClient) {
            self.client = client
            unsafe self.queue = queue
            unsafe messages = .allocate(capacity: Self.most)
            unsafe messages.initialize(repeating: nil, count: Self.most)
        }

        deinit {
            unsafe rd_kafka_queue_destroy(queue)
            unsafe messages.deallocate()
        }

        /// Hands over what has been fetched, waiting for the first record for `milliseconds`.
        ///
        /// `body` is also told the end of a partition, with the offset at which that is.
        ///
        /// - Parameter most: How many events there may be, but for the first of those waited for.
        /// - Returns: How many events there were.
        func poll(
            milliseconds: Int32, most: Int = RecordQueue.most,
            _ body: (KafkaEvent, borrowing FetchedRecord) throws(KafkaError) -> Void
        ) throws(KafkaError) -> Int {
            guard milliseconds > 0 else { return try takeThere(most, body) }
            guard let first = unsafe rd_kafka_consume_queue(queue, milliseconds) else { return 0 }
            try take(unsafe FetchedRecord(first), body)
            return 1 + (try takeThere(most, body))
        }

        /// Those that are there already; a batch would be waited for until it is full.
        private func takeThere(
            _ most: Int,
            _ body: (KafkaEvent, borrowing FetchedRecord) throws(KafkaError) -> Void
        ) throws(KafkaError) -> Int {
            let count = unsafe rd_kafka_consume_batch_queue(
                queue, 0, messages, min(most, Self.most))
            var next = 0
            // Whatever happens, each message is given back.
            defer { while let record = unsafe message(&next, count) { _ = consume record } }
            while let record = unsafe message(&next, count) { try take(record, body) }
            return max(0, count)
        }

        @unsafe
        private func message(_ next: inout Int, _ count: Int) -> FetchedRecord? {
            guard next < count, let message = unsafe messages[next] else { return nil }
            next += 1
            return unsafe FetchedRecord(message)
        }

        private func take(
            _ record: borrowing FetchedRecord,
            _ body: (KafkaEvent, borrowing FetchedRecord) throws(KafkaError) -> Void
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
