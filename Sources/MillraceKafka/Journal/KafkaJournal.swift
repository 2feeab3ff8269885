#if Kafka
    internal import MillraceLog
    internal import MillraceSystem

    /// Partition 0 of a topic that several processes append to and all read, in one order.
    ///
    /// Without transactions or a group: a record that is written twice is there twice, and whoever
    /// reads decides what that means.
    /// **Thread-safety**: one owner. **Durability**: what `append` has written is acknowledged by all
    /// replicas that are in sync.
    package final class KafkaJournal {
        private let address: KafkaAddress
        private let properties: KafkaProperties
        private let producer: KafkaProducer
        private let stop: StopRequest
        private let patienceMilliseconds: Int
        private var consumer: KafkaConsumer?
        /// What was fetched and not handed over: records, and ends of the partition without bytes.
        private var fetched: [(offset: Int64, bytes: [UInt8]?)] = []
        private var taken = 0
        private var heard: Int64 = 0
        /// The topic and the cluster, as the log's dictionaries name them.
        package let source: String
        /// The offset behind all that was handed over.
        package private(set) var position: Int64 = 0

        private static let partition = 0
        private static let probeNanoseconds: Int64 = 2_000_000_000

        /// Connects, and makes the topic where brokers make topics that are asked for.
        ///
        /// - Throws: `KafkaError` with `noBroker`, `noSuchTopic`, or what a broker refuses.
        package init(
            _ options: KafkaSinkOptions, patienceMilliseconds: Int,
            isStopped: @escaping @Sendable () -> Bool
        ) throws(KafkaError) {
            address = options.address
            properties = options.properties
            stop = StopRequest(MirrorHooks(isStopped: isStopped))
            self.patienceMilliseconds = patienceMilliseconds
            producer = try KafkaProducer(address, properties, transactionalID: nil)
            let patience = Patience(
                milliseconds: min(patienceMilliseconds, MirrorOptions.defaultConnectMilliseconds),
                stop: stop)
            let missing = KafkaError(
                .noSuchTopic, "there is no such topic, and the brokers do not make one",
                at: address.description, advice: "Create it with one partition.")
            if try producer.client.partitions(of: address.topic, patience) == nil {
                while try producer.client.partitions(making: address.topic, patience) == nil {
                    try patience.check(missing)
                }
            }
            source = "kafka:\(producer.client.clusterName(patience))/\(address.topic)"
        }

        private var patience: Patience { Patience(milliseconds: patienceMilliseconds, stop: stop) }

        /// The offsets that there are, as brokers say now.
        ///
        /// - Throws: `KafkaError` with `noBroker` when none answers in time.
        package func offsets() throws(KafkaError) -> Range<Int64> {
            let found = try producer.client.offsets(of: address.topic, partitions: 1, patience)
            heard = Clock.monotonicNanoseconds()
            return found[Self.partition]
        }

        /// Goes on reading at an offset.
        package func seek(to offset: Int64) throws(KafkaError) {
            let consumer = try KafkaConsumer(address, properties)
            try consumer.start(partition: Self.partition, at: offset)
            self.consumer = consumer
            fetched = []
            taken = 0
            position = offset
        }

        /// The next record, empty where it has no value; nil when there is none at the moment.
        ///
        /// - Throws: `KafkaError` with `offsetOutOfRange` when what comes next was removed.
        package func next() throws(KafkaError) -> (offset: Int64, bytes: [UInt8])? {
            while true {
                if taken == fetched.count { try fetch(milliseconds: 0) }
                guard taken < fetched.count else { return nil }
                let (offset, bytes) = fetched[taken]
                taken += 1
                guard let bytes else {
                    position = max(position, offset)
                    continue
                }
                position = offset + 1
                return (offset, bytes)
            }
        }

        /// Waits for records; now and then finds out whether a broker is there at all.
        ///
        /// - Throws: `KafkaError` with `noBroker` when none has been for as long as they may be away.
        package func wait(milliseconds: Int32) throws(KafkaError) {
            if taken == fetched.count { try fetch(milliseconds: milliseconds) }
            guard Clock.monotonicNanoseconds() - heard > Self.probeNanoseconds else { return }
            _ = try offsets()
        }

        private func fetch(milliseconds: Int32) throws(KafkaError) {
            guard let consumer else { return }
            fetched.removeAll(keepingCapacity: true)
            taken = 0
            let count = try consumer.poll(milliseconds: milliseconds) {
                (event, record) throws(KafkaError) in
                self.fetched.append(
                    (record.offset, event == .record ? record.value?.copied ?? [] : nil))
            }
            if count > 0 { heard = Clock.monotonicNanoseconds() }
        }

        /// Appends records in their order, and waits until they are written.
        ///
        /// - Throws: `KafkaError` with `noBroker`: it is not known then which were written; `tooLarge`.
        package func append(_ records: [[UInt8]]) throws(KafkaError) {
            let now = Clock.wallNanoseconds() / 1_000_000
            for record in records {
                try producer.add(
                    topic: address.topic, partition: Self.partition, value: record.span, key: nil,
                    milliseconds: now, patience)
            }
            try producer.flush(patience)
        }
    }
#endif
