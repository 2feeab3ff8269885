#if Kafka
    internal import CRdKafka

    /// Lists of partitions as librdkafka takes them.
    enum PartitionList {
        /// What stands where no partition is meant, `RD_KAFKA_PARTITION_UA`.
        private static let unassigned: Int32 = -1

        /// A list, which the caller destroys; without an offset an entry has none.
        @unsafe
        static func make(
            _ entries: [(topic: String, partition: Int?, offset: Int64?)]
        ) -> UnsafeMutablePointer<rd_kafka_topic_partition_list_t>? {
            guard let list = unsafe rd_kafka_topic_partition_list_new(Int32(entries.count)) else {
                return nil
            }
            for (topic, partition, offset) in entries {
                let entry = unsafe rd_kafka_topic_partition_list_add(
                    list, topic, partition.map { Int32($0) } ?? unassigned)
                if let offset { unsafe entry?.pointee.offset = offset }
            }
            return unsafe list
        }
    }

    extension KafkaClient {
        /// Calls `body` with a list of partitions, which is gone afterwards.
        @unsafe
        func withList<R>(
            _ entries: [(topic: String, partition: Int?, offset: Int64?)],
            _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) throws(KafkaError) -> R
        ) throws(KafkaError) -> R {
            guard let list = unsafe PartitionList.make(entries) else {
                throw error(rd_kafka_last_error())
            }
            defer { unsafe rd_kafka_topic_partition_list_destroy(list) }
            return try unsafe body(list)
        }

        /// The offsets to go on from that the client's group has committed; nil where it has none.
        ///
        /// Waits for transactions that hold some.
        func committed(
            _ partitions: [(topic: String, partition: Int)], _ patience: Patience
        ) throws(KafkaError) -> [Int64?] {
            guard !partitions.isEmpty else { return [] }
            let entries = partitions.map { ($0.topic, Int?($0.partition), Int64?.none) }
            return try asking(patience) { (milliseconds) throws(KafkaError) -> [Int64?]? in
                try unsafe self.withList(entries) { (list) throws(KafkaError) -> [Int64?]? in
                    let code = unsafe rd_kafka_committed(self.pointer, list, milliseconds)
                    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw self.error(code) }
                    var found: [Int64?] = []
                    for index in 0..<Int(unsafe list.pointee.cnt) {
                        let entry = unsafe list.pointee.elems[index]
                        let problem = unsafe entry.err
                        if problem == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT { return nil }
                        guard problem == RD_KAFKA_RESP_ERR_NO_ERROR else {
                            throw self.error(problem)
                        }
                        let offset = unsafe entry.offset
                        found.append(offset >= 0 ? offset : nil)
                    }
                    return found
                }
            }
        }
    }
#endif
