#if Kafka
    internal import CRdKafka
    internal import MillraceSystem

    /// The handle of a member of a consumer group.
    ///
    /// **Thread-safety**: `next` and `close` have one owner; the rest any thread.
    @safe final class GroupClient: @unchecked Sendable {
        // Sendable: librdkafka's handles may be used by any thread; the pointers never change.

        let client: KafkaClient
        private let queue: OpaquePointer

        /// What happens to the group.
        enum Event {
            /// These are the member's from now on, once `assign` was called.
            case assigned([Int])
            /// These are to be given back with `unassign`; lost ones may be others' already.
            case revoked([Int], isLost: Bool)
        }

        /// What is needed of the group beside its name.
        struct Membership: Sendable {
            var group: String
            var instance: String?
            /// librdkafka's name of the assignor.
            var strategy: String
        }

        init(
            _ address: KafkaAddress, _ properties: KafkaProperties, _ membership: Membership
        ) throws(KafkaError) {
            client = try KafkaClient(
                .consumer, address, properties,
                fixed: [
                    ("group.id", membership.group), ("isolation.level", "read_committed"),
                    ("enable.partition.eof", "true"), ("auto.offset.reset", "error"),
                    ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
                    ("allow.auto.create.topics", "false"),
                    ("partition.assignment.strategy", membership.strategy),
                ] + (membership.instance.map { [("group.instance.id", $0)] } ?? []),
                events: RD_KAFKA_EVENT_REBALANCE)
            guard let queue = unsafe rd_kafka_queue_get_consumer(client.pointer) else {
                throw client.error(rd_kafka_last_error())
            }
            unsafe self.queue = queue
        }

        deinit { unsafe rd_kafka_queue_destroy(queue) }

        // MARK: Membership

        /// Asks to be a member.
        func subscribe() throws(KafkaError) {
            try unsafe client.withList([(client.address.topic, nil, nil)]) {
                (list) throws(KafkaError) in
                let code = unsafe rd_kafka_subscribe(client.pointer, list)
                guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw client.error(code) }
            }
        }

        /// What happens next; nil when nothing does for `milliseconds`.
        ///
        /// - Throws: `KafkaError` for what ends the membership.
        func next(milliseconds: Int32) throws(KafkaError) -> Event? {
            client.poll()
            guard let event = unsafe rd_kafka_queue_poll(queue, milliseconds) else { return nil }
            defer { unsafe rd_kafka_event_destroy(event) }
            let code = unsafe rd_kafka_event_error(event)
            guard unsafe rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE else {
                let found = KafkaError.code(of: code)
                guard code != RD_KAFKA_RESP_ERR_NO_ERROR, found != .noBroker,
                    code != RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED
                else { return nil }
                throw client.error(
                    code,
                    unsafe rd_kafka_event_error_string(event).map { unsafe String(cString: $0) })
            }
            let partitions = unsafe Self.partitions(
                in: rd_kafka_event_topic_partition_list(event))
            switch code {
            case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS: return .assigned(partitions)
            case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
                return .revoked(partitions, isLost: isLost)
            default:
                // A rebalance that failed: whatever was owned is not any more.
                return .revoked(partitions, isLost: true)
            }
        }

        @unsafe
        private static func partitions(
            in list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
        ) -> [Int] {
            guard let list = unsafe list else { return [] }
            return unsafe (0..<Int(list.pointee.cnt)).map {
                unsafe Int(list.pointee.elems[$0].partition)
            }
        }

        /// Whether the member was shut out of the group and has not given everything back yet.
        var isLost: Bool { unsafe rd_kafka_assignment_lost(client.pointer) != 0 }

        private var isCooperative: Bool {
            unsafe rd_kafka_rebalance_protocol(client.pointer).map {
                unsafe String(cString: $0) == "COOPERATIVE"
            } ?? false
        }

        /// Begins to fetch partitions that were assigned, from these offsets on.
        func assign(_ positions: [(partition: Int, offset: Int64)]) throws(KafkaError) {
            let isCooperative = isCooperative
            let entries = positions.map {
                (client.address.topic, Int?($0.partition), Int64?($0.offset))
            }
            try unsafe client.withList(entries) { (list) throws(KafkaError) in
                if isCooperative {
                    try unsafe check(rd_kafka_incremental_assign(client.pointer, list))
                } else {
                    try check(unsafe rd_kafka_assign(client.pointer, list))
                }
            }
        }

        /// Fetches nothing of partitions that were assigned.
        func pause(_ partitions: [Int]) throws(KafkaError) {
            guard !partitions.isEmpty else { return }
            let entries = partitions.map { (client.address.topic, Int?($0), Int64?.none) }
            try unsafe client.withList(entries) { (list) throws(KafkaError) in
                try check(unsafe rd_kafka_pause_partitions(client.pointer, list))
            }
        }

        /// Gives back partitions that were revoked.
        func unassign(_ partitions: [Int]) throws(KafkaError) {
            guard isCooperative else {
                return try check(unsafe rd_kafka_assign(client.pointer, nil))
            }
            let entries = partitions.map { (client.address.topic, Int?($0), Int64?.none) }
            try unsafe client.withList(entries) { (list) throws(KafkaError) in
                try unsafe check(rd_kafka_incremental_unassign(client.pointer, list))
            }
        }

        /// Leaves the group; `serve` is given what happens meanwhile.
        ///
        /// A static member is still one afterwards, until its session times out; and so is one that
        /// could not say so to a broker within `milliseconds`.
        func close(
            within milliseconds: Int, _ serve: (Event) throws(KafkaError) -> Void
        ) throws(KafkaError) {
            let end = Clock.monotonicNanoseconds() + Int64(milliseconds) * 1_000_000
            try unsafe check(rd_kafka_consumer_close_queue(client.pointer, queue))
            while unsafe rd_kafka_consumer_closed(client.pointer) == 0 {
                guard Clock.monotonicNanoseconds() < end else {
                    return client.giveUpClosing()
                }
                // Who leaves does not mind what the group thinks of it.
                do throws(KafkaError) {
                    if let event = try next(milliseconds: 20) { try serve(event) }
                } catch {}
            }
        }

        // MARK: Offsets

        /// The offsets to go on from that the group has committed; nil where it has none.
        ///
        /// Waits for transactions that hold some.
        func committed(_ partitions: [Int], _ patience: Patience) throws(KafkaError) -> [Int64?] {
            try client.committed(partitions.map { (client.address.topic, $0) }, patience)
        }

        /// Commits offsets without a transaction; waits for the answer or only sends them.
        func commit(
            _ positions: [(partition: Int, offset: Int64)], wait: Bool
        ) throws(KafkaError) {
            let entries = positions.map {
                (client.address.topic, Int?($0.partition), Int64?($0.offset))
            }
            try unsafe client.withList(entries) { (list) throws(KafkaError) in
                try check(unsafe rd_kafka_commit(client.pointer, list, wait ? 0 : 1))
            }
        }

        /// Goes on with a partition at another offset; what was fetched is forgotten.
        func seek(partition: Int, to offset: Int64, _ patience: Patience) throws(KafkaError) {
            let entries = [(client.address.topic, Int?(partition), Int64?(offset))]
            _ = try client.asking(patience) { (milliseconds) throws(KafkaError) -> Bool? in
                try unsafe client.withList(entries) { (list) throws(KafkaError) -> Bool? in
                    try unsafe check(
                        rd_kafka_seek_partitions(client.pointer, list, milliseconds))
                    let code = unsafe list.pointee.elems[0].err
                    // It is about to be fetched, and not yet.
                    if code == RD_KAFKA_RESP_ERR__STATE
                        || code == RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS
                    {
                        return nil
                    }
                    try check(code)
                    return true
                }
            }
        }

        /// The offset behind the last record of a partition, as the last fetch has told; nil before
        /// the first.
        func knownEnd(of partition: Int) -> Int64? {
            var (low, high): (Int64, Int64) = (0, 0)
            let code = unsafe rd_kafka_get_watermark_offsets(
                client.pointer, client.address.topic, Int32(partition), &low, &high)
            return code == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? high : nil
        }

        /// Where what is fetched of a partition comes, and nothing else.
        func queue(of partition: Int) throws(KafkaError) -> RecordQueue {
            let topic = client.address.topic
            guard
                let queue = unsafe rd_kafka_queue_get_partition(
                    client.pointer, topic, Int32(partition))
            else { throw client.error(rd_kafka_last_error(), at: "\(client.address)") }
            unsafe rd_kafka_queue_forward(queue, nil)
            return unsafe RecordQueue(queue, of: client)
        }

        /// Who the member is, for transactions that commit what it has consumed.
        ///
        /// Ask `isLost` afterwards: what was asked for before that was lost is refused by brokers.
        func identity() throws(KafkaError) -> GroupIdentity {
            guard let pointer = unsafe rd_kafka_consumer_group_metadata(client.pointer) else {
                throw KafkaError(
                    .client, "librdkafka does not say which member this is",
                    at: client.address.description)
            }
            return unsafe GroupIdentity(pointer)
        }

        // MARK: Errors and lists

        private func check(_ code: rd_kafka_resp_err_t) throws(KafkaError) {
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
            throw client.error(code)
        }

        /// Throws an error of librdkafka, freeing it.
        @unsafe
        private func check(_ failure: OpaquePointer?) throws(KafkaError) {
            guard let failure = unsafe failure else { return }
            defer { unsafe rd_kafka_error_destroy(failure) }
            throw client.error(
                unsafe rd_kafka_error_code(failure),
                unsafe rd_kafka_error_string(failure).map { unsafe String(cString: $0) })
        }
    }

    /// Which member of which generation of a group somebody was when it was asked.
    @safe final class GroupIdentity {
        let pointer: OpaquePointer

        /// Takes `pointer` over.
        @unsafe
        init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }

        deinit { unsafe rd_kafka_consumer_group_metadata_destroy(pointer) }
    }
#endif
