#if Kafka
    internal import MillraceLog

    /// Where a mirror to Kafka has got to, in a topic beside the one that it writes.
    ///
    /// A record's key is the transactional id, the source topic and its partition; its value is the
    /// offset to go on from, in digits. Each is written in the transaction of the rows before that
    /// offset; of several with one key the last counts, so the topic may be compacted. All records
    /// are in partition 0.
    struct ProgressTopic {
        let address: KafkaAddress
        private let transactionalID: String
        private let source: String

        static let suffix = ".millrace-progress"
        static let partition = 0
        private static let pollMilliseconds: Int32 = 100

        init(
            beside address: KafkaAddress, transactionalID: String, source: String
        ) throws(KafkaError) {
            // A name that is too long is refused as one.
            self.address = try KafkaAddress(address.description + Self.suffix)
            self.transactionalID = transactionalID
            self.source = source
        }

        func key(_ partition: Int) -> [UInt8] {
            Array("\(transactionalID) \(source)/\(partition)".utf8)
        }

        /// Makes sure that the topic is there, which most brokers make when they are asked for it.
        func prepare(_ producer: KafkaProducer, _ patience: Patience) throws(KafkaError) {
            guard try producer.client.partitions(of: address.topic, patience) == nil else { return }
            // Made by the question; it takes the brokers a moment.
            let missing = KafkaError(
                .noSuchTopic,
                "there is no topic for the mirror's progress, and the brokers do not "
                    + "make one",
                at: address.description,
                advice: "Create it with one partition and cleanup.policy=compact.")
            while try producer.client.partitions(making: address.topic, patience) == nil {
                try patience.check(missing)
            }
        }

        /// The offsets to go on from, by partition, as committed.
        ///
        /// Call it after others have been shut out. It waits for transactions of other mirrors that
        /// are open: what stands behind their records is not seen before they end.
        func read(
            _ producer: KafkaProducer, _ properties: KafkaProperties, partitions: Int,
            _ patience: Patience
        ) throws(KafkaError) -> [UInt64?] {
            var found = [UInt64?](repeating: nil, count: partitions)
            let keys = Dictionary(
                uniqueKeysWithValues: (0..<partitions).map { (key($0), $0) })
            let ranges = try producer.client.offsets(of: address.topic, partitions: 1, patience)
            let range = ranges[Self.partition]
            let consumer = try KafkaConsumer(address, properties)
            try consumer.start(partition: Self.partition, at: range.lowerBound)
            var next = range.lowerBound
            while next < range.upperBound {
                let count = try consumer.poll(milliseconds: Self.pollMilliseconds) {
                    (event, record) throws(KafkaError) in
                    next = max(next, record.offset + (event == .record ? 1 : 0))
                    guard event == .record, let key = record.key?.copied,
                        let partition = keys[key]
                    else { return }
                    found[partition] = try Self.offset(record, address)
                }
                if count == 0 {
                    if let hopeless = consumer.client.hopeless { throw hopeless }
                    try patience.check(
                        KafkaError(
                            .noBroker, "the mirror's progress cannot be read to its end",
                            at: "\(address), offset \(next) of \(range.upperBound)",
                            advice: KafkaError.advice(for: .noBroker)))
                }
            }
            return found
        }

        private static func offset(
            _ record: borrowing FetchedRecord, _ address: KafkaAddress
        ) throws(KafkaError) -> UInt64? {
            // Without a value, the record takes back what was said before.
            guard let text = record.value?.copied else { return nil }
            guard let offset = UInt64(String(decoding: text, as: UTF8.self)) else {
                throw KafkaError(
                    .badRecord, "expected an offset in digits, found other bytes",
                    at: "\(address), offset \(record.offset)",
                    advice: "Somebody else writes to the topic of this mirror's progress.")
            }
            return offset
        }
    }

    extension Span<UInt8> {
        /// A copy.
        var copied: [UInt8] { indices.map { self[$0] } }
    }
#endif
