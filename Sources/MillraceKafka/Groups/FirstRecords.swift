#if Kafka
    internal import MillraceSystem

    /// Reads the first records of a topic's partitions, without being a member of a group.
    package struct FirstRecords: Sendable {
        private let address: KafkaAddress
        private let properties: KafkaProperties
        private let patienceMilliseconds: Int
        private static let pollMilliseconds: Int32 = 50

        /// For the topic of a group.
        package init(_ options: KafkaGroupOptions) {
            address = options.address
            properties = options.properties
            patienceMilliseconds = options.patienceMilliseconds
        }

        /// Gives the values of the first records of a partition to `body`, up to `most` of them or
        /// to the end of what is there; records without one are passed over.
        ///
        /// - Returns: How many records there were.
        /// - Throws: `KafkaError`, `noBroker` when none answers in time.
        package func read(
            partition: Int, most: Int, isStopped: () -> Bool, _ body: (Span<UInt8>) -> Void
        ) throws(KafkaError) -> Int {
            guard most > 0 else { return 0 }
            let consumer = try KafkaConsumer(address, properties)
            try consumer.start(partition: partition, at: KafkaPartition.front)
            let patience = Patience(milliseconds: patienceMilliseconds)
            var taken = 0
            var isAtEnd = false
            while taken < most, !isAtEnd, !isStopped() {
                let events = try consumer.poll(milliseconds: Self.pollMilliseconds) {
                    (event, record) throws(KafkaError) in
                    guard event == .record else {
                        isAtEnd = true
                        return
                    }
                    guard taken < most else { return }
                    taken += 1
                    if let value = record.value { body(value) }
                }
                if events == 0 {
                    try patience.check(
                        KafkaError(
                            .noBroker, "its first records do not come",
                            at: "\(address), partition \(partition)",
                            advice: KafkaError.advice(for: .noBroker)))
                }
            }
            return taken
        }
    }
#endif
