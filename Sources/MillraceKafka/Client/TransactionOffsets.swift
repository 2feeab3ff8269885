#if Kafka
    internal import CRdKafka

    /// The offsets that a member of a group has consumed, on their way into a transaction.
    ///
    /// While no broker answers for the group, librdkafka's call does not look at its time limit.
    /// - Source: librdkafka's issue 5456, open in version 2.14.
    @safe final class TransactionOffsets: @unchecked Sendable {
        // Sendable: nothing changes, and librdkafka only reads it.
        private let client: KafkaClient
        private let list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>
        private let member: GroupIdentity

        /// How much longer than its time limit the call may take where brokers are there.
        private static let graceMilliseconds = 1_000

        init(
            _ offsets: [(topic: String, partition: Int, offset: Int64)], of member: GroupIdentity,
            _ client: KafkaClient
        ) throws(KafkaError) {
            let entries = offsets.map { ($0.topic, Int?($0.partition), Int64?($0.offset)) }
            guard let list = unsafe PartitionList.make(entries) else {
                throw client.error(rd_kafka_last_error())
            }
            self.client = client
            unsafe self.list = list
            self.member = member
        }

        deinit { unsafe rd_kafka_topic_partition_list_destroy(list) }

        /// Makes them part of the client's transaction; tries for about a second.
        ///
        /// - Returns: What failed, if anything; nil where the call has not come back when `patience`
        ///   has run out, after which the client is of no use any more.
        func send(_ patience: Patience) -> TransactionFailure?? {
            let slice = patience.sliceMilliseconds
            return DetachedCall.answer(
                within: patience.leftMilliseconds + Self.graceMilliseconds
            ) {
                unsafe rd_kafka_send_offsets_to_transaction(
                    self.client.pointer, self.list, self.member.pointer, slice
                ).map { unsafe TransactionFailure($0, of: self.client) }
            }
        }
    }

    /// What librdkafka says of a step of a transaction that failed.
    struct TransactionFailure: Sendable {
        let error: KafkaError
        let mayRetry: Bool
        let mustAbort: Bool

        /// Reads an error of librdkafka and frees it.
        @unsafe
        init(_ failure: OpaquePointer, of client: KafkaClient) {
            defer { unsafe rd_kafka_error_destroy(failure) }
            error = client.error(
                unsafe rd_kafka_error_code(failure),
                unsafe rd_kafka_error_string(failure).map { unsafe String(cString: $0) })
            mayRetry = unsafe rd_kafka_error_is_retriable(failure) != 0
            mustAbort = unsafe rd_kafka_error_txn_requires_abort(failure) != 0
        }
    }
#endif
