#if Kafka
    internal import CRdKafka
    internal import MillraceLog
    internal import MillraceSystem

    /// Writes records: in transactions, each whole or not at all, or one by one.
    ///
    /// **Thread-safety**: one owner.
    @safe final class KafkaProducer {
        let client: KafkaClient
        private var topics: [String: OpaquePointer] = unsafe [:]
        /// Whether a transaction has begun that was neither committed nor aborted.
        private(set) var isInTransaction = false
        /// Whether a call was given up that librdkafka has not come back from, and allows no other.
        private var isStuck = false

        /// A transaction that came to nothing, and may be tried again.
        struct Aborted: Error { let reason: KafkaError }

        /// A producer; one without an id knows of no transactions.
        init(
            _ address: KafkaAddress, _ properties: KafkaProperties, transactionalID: String?
        ) throws(KafkaError) {
            client = try KafkaClient(
                .producer, address, properties,
                fixed: [
                    transactionalID.map { ("transactional.id", $0) }
                        ?? ("enable.idempotence", "true"),
                    // For the end of a topic as it is, transactions that are open included.
                    ("isolation.level", "read_uncommitted"),
                ])
        }

        deinit {
            if isInTransaction { settle() }
            unsafe topics.values.forEach { unsafe rd_kafka_topic_destroy($0) }
        }

        /// Lets go of the records of a transaction that comes to nothing, and waits until librdkafka
        /// has nothing to begin for it.
        ///
        /// A millisecond after the first record of a partition it asks for the partition to be made
        /// part of the transaction. A client that ends just then ends the process, by the assertion
        /// `txn_req_cnt > 0` (seen in version 2.0.2).
        private func settle() {
            unsafe rd_kafka_purge(client.pointer, RD_KAFKA_PURGE_F_QUEUE)
            PinnedThread.sleep(nanoseconds: Self.settlingNanoseconds)
        }

        private static let settlingNanoseconds: Int64 = 100_000_000

        // MARK: Transactions

        /// Shuts out whoever has written under the same id, and ends what that left open.
        func fenceOthers(_ patience: Patience) throws(KafkaError) {
            try unsafe insist(patience) {
                unsafe rd_kafka_init_transactions(self.client.pointer, $0)
            }
        }

        func begin() throws(KafkaError) {
            _ = client.notes.takeDelivery()
            guard let failure = unsafe rd_kafka_begin_transaction(client.pointer) else {
                isInTransaction = true
                return
            }
            throw unsafe TransactionFailure(failure, of: client).error
        }

        /// Writes everything and makes it visible at once.
        ///
        /// - Throws: `KafkaError`; with code `noBroker` it is not known whether it was committed.
        func commit(_ patience: Patience) throws(KafkaError) -> Aborted? {
            do throws(KafkaError) {
                let aborted = try unsafe insist(patience) {
                    unsafe rd_kafka_commit_transaction(self.client.pointer, $0)
                }
                isInTransaction = aborted != nil
                return aborted
            } catch {
                guard error.code == .noBroker else { throw error }
                throw KafkaError(
                    .noBroker,
                    "it is not known whether the last transaction was committed: "
                        + error.message, at: error.place,
                    advice: "Run the same command again: it goes on where the cluster says.")
            }
        }

        /// Makes offsets that a member of a group has consumed part of the transaction.
        ///
        /// - Throws: `KafkaError`; with code `noBroker` the producer may be of no use any more.
        func send(
            offsets: [(topic: String, partition: Int, offset: Int64)], of member: GroupIdentity,
            _ patience: Patience
        ) throws(KafkaError) -> Aborted? {
            let offsets = try TransactionOffsets(offsets, of: member, client)
            return try insist(patience) { () throws(KafkaError) in
                guard let outcome = offsets.send(patience) else {
                    isStuck = true
                    throw client.error(RD_KAFKA_RESP_ERR__TIMED_OUT)
                }
                return outcome
            }
        }

        /// Waits until everything that was added has been written; without transactions.
        func flush(_ patience: Patience) throws(KafkaError) {
            while unsafe rd_kafka_flush(client.pointer, patience.sliceMilliseconds)
                != RD_KAFKA_RESP_ERR_NO_ERROR
            {
                if let hopeless = client.hopeless { throw hopeless }
                try patience.check(client.error(RD_KAFKA_RESP_ERR__TIMED_OUT))
            }
            if let delivery { throw delivery }
        }

        /// Takes everything back since `begin`.
        func abort(_ patience: Patience) throws(KafkaError) {
            guard !isStuck else { throw client.error(RD_KAFKA_RESP_ERR__TIMED_OUT) }
            try unsafe insist(patience) {
                unsafe rd_kafka_abort_transaction(self.client.pointer, $0)
            }
            isInTransaction = false
        }

        /// Calls again while that may help; what has to be aborted is returned.
        @discardableResult
        private func insist(
            _ patience: Patience, _ call: (_ milliseconds: Int32) -> OpaquePointer?
        ) throws(KafkaError) -> Aborted? {
            try insist(patience) { () throws(KafkaError) in
                unsafe call(patience.sliceMilliseconds).map {
                    unsafe TransactionFailure($0, of: client)
                }
            }
        }

        private func insist(
            _ patience: Patience, _ step: () throws(KafkaError) -> TransactionFailure?
        ) throws(KafkaError) -> Aborted? {
            while true {
                guard let failure = try step() else { return nil }
                if failure.mustAbort { return Aborted(reason: delivery ?? failure.error) }
                guard failure.mayRetry || failure.error.code == .noBroker else {
                    throw failure.error
                }
                if let hopeless = client.hopeless { throw hopeless }
                try patience.check(failure.error)
            }
        }

        /// Why a record was not delivered, where one was not.
        private var delivery: KafkaError? {
            client.notes.takeDelivery().map {
                client.error($0.code, at: "\(client.address), partition \($0.partition)")
            }
        }

        // MARK: Records

        /// Adds a record to the transaction; waits while the queue is full.
        ///
        /// - Throws: `KafkaError` with `tooLarge`, or what has ended the transaction.
        func add(
            topic name: String, partition: Int, value: Span<UInt8>, key: Span<UInt8>?,
            milliseconds: Int64, headers: [RowHeader] = [], _ patience: Patience
        ) throws(KafkaError) {
            let topic = try unsafe handle(name)
            while true {
                let code = unsafe produce(
                    topic, partition, value, key, milliseconds, headers)
                switch code {
                case RD_KAFKA_RESP_ERR_NO_ERROR: return
                case RD_KAFKA_RESP_ERR__QUEUE_FULL:
                    _ = unsafe rd_kafka_poll(client.pointer, 50)
                    if let failure = delivery { throw failure }
                    try patience.check(client.error(RD_KAFKA_RESP_ERR__TIMED_OUT))
                default:
                    throw client.error(
                        code, at: "\(client.address.topic(name)), partition \(partition)")
                }
            }
        }

        @unsafe
        private func handle(_ name: String) throws(KafkaError) -> OpaquePointer {
            if let topic = unsafe topics[name] { return unsafe topic }
            guard let topic = unsafe rd_kafka_topic_new(client.pointer, name, nil) else {
                throw client.error(rd_kafka_last_error(), at: name)
            }
            unsafe topics[name] = topic
            return unsafe topic
        }

        @unsafe
        private func produce(
            _ topic: OpaquePointer, _ partition: Int, _ value: Span<UInt8>, _ key: Span<UInt8>?,
            _ milliseconds: Int64, _ headers: [RowHeader]
        ) -> rd_kafka_resp_err_t {
            let list = unsafe Self.list(headers)
            // SAFETY: librdkafka copies value and key before the call returns.
            let code = unsafe value.withUnsafeBufferPointer { value in
                guard let key else {
                    return unsafe crk_produce(
                        client.pointer, topic, Int32(partition), 0, nil, 0, value.baseAddress,
                        value.count, milliseconds, list)
                }
                return unsafe key.withUnsafeBufferPointer { key in
                    unsafe crk_produce(
                        client.pointer, topic, Int32(partition), 1, key.baseAddress, key.count,
                        value.baseAddress, value.count, milliseconds, list)
                }
            }
            // The headers are librdkafka's only when the record is.
            if code != RD_KAFKA_RESP_ERR_NO_ERROR, let list = unsafe list {
                unsafe rd_kafka_headers_destroy(list)
            }
            return code
        }

        @unsafe
        private static func list(_ headers: [RowHeader]) -> OpaquePointer? {
            guard !headers.isEmpty, let list = unsafe rd_kafka_headers_new(headers.count) else {
                return nil
            }
            for header in headers {
                let length = header.name.utf8.count
                _ = unsafe header.value.withUnsafeBytes { bytes in
                    unsafe rd_kafka_header_add(
                        list, header.name, length, bytes.baseAddress, bytes.count)
                }
            }
            return unsafe list
        }
    }
#endif
