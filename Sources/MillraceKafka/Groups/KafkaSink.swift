#if Kafka
    package import MillraceLog
    internal import MillraceSystem

    /// Where a slot's records go: topics of one cluster, in transactions or one by one.
    ///
    /// **Thread-safety**: one owner.
    package final class KafkaSink {
        /// The largest record in bytes that the client makes.
        package var maxRecordBytes: Int { producer.client.maxRecordBytes }
        private let producer: KafkaProducer
        private let isTransactional: Bool
        private let patienceMilliseconds: Int

        /// A sink without transactions: `flush` waits until everything is written.
        package convenience init(
            _ options: KafkaSinkOptions, patienceMilliseconds: Int
        ) throws(KafkaError) {
            try self.init(
                options, transactionalID: nil, patienceMilliseconds: patienceMilliseconds)
        }

        init(
            _ options: KafkaSinkOptions, transactionalID: String?, patienceMilliseconds: Int
        ) throws(KafkaError) {
            self.patienceMilliseconds = patienceMilliseconds
            isTransactional = transactionalID != nil
            producer = try KafkaProducer(
                options.address, options.properties, transactionalID: transactionalID)
            if isTransactional { try producer.fenceOthers(patience) }
        }

        private var patience: Patience { Patience(milliseconds: patienceMilliseconds) }

        /// The number of the partitions of a topic, which has to be there.
        package func partitions(of topic: String) throws(KafkaError) -> Int {
            try producer.client.partitions(
                existing: topic,
                Patience(
                    milliseconds: min(
                        patienceMilliseconds, MirrorOptions.defaultConnectMilliseconds)))
        }

        /// Adds a record.
        ///
        /// - Throws: `KafkaError` with `tooLarge`, or what has ended the transaction.
        package func add(
            topic: String, partition: Int, value: Span<UInt8>, key: Span<UInt8>?,
            milliseconds: Int64, headers: [RowHeader] = []
        ) throws(KafkaError) {
            if isTransactional, !producer.isInTransaction { try producer.begin() }
            try producer.add(
                topic: topic, partition: partition, value: value, key: key,
                milliseconds: milliseconds, headers: headers, patience)
        }

        /// Waits until everything is written that was added without a transaction.
        package func flush() throws(KafkaError) { try producer.flush(patience) }

        /// Commits what was added together with the offsets that it came from.
        func commit(
            _ offsets: [(topic: String, partition: Int, offset: Int64)], of member: GroupIdentity
        ) throws(KafkaError) {
            if !producer.isInTransaction { try producer.begin() }
            if let aborted = try producer.send(offsets: offsets, of: member, patience) {
                throw aborted.reason
            }
            if let aborted = try producer.commit(patience) { throw aborted.reason }
        }

        /// Takes everything back that was added since the last commit.
        func abort() throws(KafkaError) {
            if producer.isInTransaction { try producer.abort(patience) }
        }
    }
#endif
