#if Kafka
    /// A record of Kafka, or where a partition ends.
    package typealias KafkaRecord = FetchedRecord

    /// A partition that a member of a group owns, from one grant to its end.
    ///
    /// **Thread-safety**: the slot that owns it.
    package final class KafkaPartition: Hashable, @unchecked Sendable {
        // Sendable: the group hands it to one slot, which alone uses what changes.

        /// The partition's number.
        package let number: Int
        /// The offset to go on from where nothing else is known; negative for the front.
        let start: Int64
        /// The offset that has been committed for it by this member; nil for none yet.
        private(set) var committed: Int64?
        /// Whether records have been taken from it, or may have been.
        private var hasBegun = false
        private let records: RecordQueue
        private let group: GroupClient
        private let patienceMilliseconds: Int

        init(
            _ number: Int, start: Int64, _ group: GroupClient, patienceMilliseconds: Int
        ) throws(KafkaError) {
            self.number = number
            self.start = start
            self.group = group
            self.patienceMilliseconds = patienceMilliseconds
            records = try group.queue(of: number)
        }

        /// Takes note of a commit.
        func commit(_ offset: Int64) { committed = offset }

        /// The offset at which reading begins when nobody says another: that of the last commit.
        ///
        /// Nil for the front of the partition, wherever that is.
        package var position: Int64? {
            let offset = committed ?? start
            return offset < 0 ? nil : offset
        }

        /// Begins to read at `offset`, or at the front.
        ///
        /// - Throws: `KafkaError`, `noBroker` when that takes longer than brokers may be away.
        package func begin(at offset: Int64?) throws(KafkaError) {
            let offset = offset ?? KafkaPartition.front
            // Where the group has begun to fetch already, unless something was read since.
            if offset != start || hasBegun {
                try group.seek(
                    partition: number, to: offset,
                    Patience(milliseconds: patienceMilliseconds))
            }
            hasBegun = true
        }

        /// Kafka's word for the first offset that there is.
        static let front: Int64 = -2

        /// How many offsets there are from `position` on, as far as the last fetch has told.
        package func lag(from position: Int64) -> Int {
            Int(max(0, (group.knownEnd(of: number) ?? position) - position))
        }

        /// The offset behind the last record that may be read, as brokers say now.
        ///
        /// - Throws: `KafkaError`, `noBroker` when none answers in time.
        package func askedEnd() throws(KafkaError) -> Int64 {
            try group.client.offsets(
                of: group.client.address.topic, partitions: number + 1,
                Patience(milliseconds: patienceMilliseconds))[number].upperBound
        }

        /// The most events that one `poll` hands over.
        package static let mostEvents = RecordQueue.most

        /// Hands over what has been fetched, up to `most` events, without waiting; returns how many
        /// there were.
        package func poll(
            most: Int = KafkaPartition.mostEvents,
            _ body: (KafkaEvent, borrowing KafkaRecord) throws(KafkaError) -> Void
        ) throws(KafkaError) -> Int {
            try records.poll(milliseconds: 0, most: most, body)
        }

        package static func == (left: KafkaPartition, right: KafkaPartition) -> Bool {
            left === right
        }

        package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
    }
#endif
