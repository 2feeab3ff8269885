#if Kafka
    internal import MillraceLog
    internal import MillraceSystem

    /// Copies a topic of the log into a Kafka topic.
    struct OutboundMirror {
        private let address: KafkaAddress
        private let options: MirrorOptions
        private let stop: StopRequest
        private let topic: Topic
        private let format: KafkaFormat
        private let producer: KafkaProducer
        private let progress: ProgressTopic
        private var lanes: [OutboundLane] = []
        private var transactions = 0

        /// Bytes of values after which a transaction ends.
        private static let transactionBytes = 8 << 20
        private static let waitNanoseconds: Int64 = 50_000_000
        /// How often a transaction is tried that came to nothing.
        private static let mostAttempts = 5
        private static let pauseNanoseconds: Int64 = 200_000_000

        init(
            _ topic: Topic, to address: KafkaAddress, options: MirrorOptions, stop: StopRequest
        ) throws(KafkaError) {
            self.topic = topic
            self.address = address
            self.options = options
            self.stop = stop
            let kind = topic.configuration.kind
            format = options.format ?? .standard(for: kind)
            guard format.fits(kind) else {
                throw KafkaError(
                    .invalidArgument,
                    "topic '\(topic.name)' holds \(kind.rawValue), which \(format.rawValue) is "
                        + "not for")
            }
            let patience = Patience(milliseconds: options.connectMilliseconds, stop: stop)
            let partitions = try Self.partitions(address, options, patience)
            let id = options.transactionalID ?? Self.standardID(topic, address)
            producer = try KafkaProducer(address, options.properties, transactionalID: id)
            progress = try ProgressTopic(
                beside: address, transactionalID: id, source: topic.reference)
            // First nobody else may write any more: then what is read stays true.
            let longer = Patience(milliseconds: options.patienceMilliseconds, stop: stop)
            try producer.fenceOthers(longer)
            try progress.prepare(producer, longer)
            let starts = try progress.read(
                producer, options.properties, partitions: topic.partitions, longer)
            for partition in 0..<topic.partitions {
                lanes.append(
                    try lane(partition, target: partition % partitions, starts[partition]))
            }
        }

        /// The number of the topic's partitions, asked so that no broker makes the topic.
        private static func partitions(
            _ address: KafkaAddress, _ options: MirrorOptions, _ patience: Patience
        ) throws(KafkaError) -> Int {
            let consumer = try KafkaConsumer(address, options.properties)
            guard let count = try consumer.client.partitions(of: address.topic, patience) else {
                throw KafkaError(
                    .noSuchTopic, "there is no such topic", at: address.description,
                    advice: KafkaError.advice(for: .noSuchTopic))
            }
            return count
        }

        /// The id of a mirror of this topic to that one, of which there is one at a time.
        private static func standardID(_ topic: Topic, _ address: KafkaAddress) -> String {
            "millrace-mirror-\(topic.name)-\(String(topic.id, radix: 16))-\(address.topic)"
        }

        private func lane(
            _ partition: Int, target: Int, _ committed: UInt64?
        ) throws(KafkaError) -> OutboundLane {
            do throws(LogError) {
                let first = try topic.startOffset(partition: partition)
                return try OutboundLane(
                    topic, partition: partition, target: target, from: committed ?? first,
                    format: format,
                    onOutOfRange: options.onOutOfRange == .earliest ? .earliest : .error,
                    maxRecordBytes: producer.client.maxRecordBytes)
            } catch { throw KafkaError(error) }
        }

        // MARK: Copying

        mutating func run() throws(KafkaError) -> MirrorSummary {
            while !stop.isSet {
                guard try transact() else {
                    guard options.follow else { break }
                    try wait()
                    continue
                }
            }
            return summary
        }

        /// Copies as much as one transaction takes, again when it comes to nothing; false when
        /// there is nothing to copy.
        private mutating func transact() throws(KafkaError) -> Bool {
            var attempts = 0
            while true {
                attempts += 1
                guard let failure = try attempt() else { return false }
                guard let reason = failure.reason else { return true }
                guard attempts < Self.mostAttempts, Self.mayPass(reason), !stop.isSet else {
                    throw reason
                }
                PinnedThread.sleep(nanoseconds: Self.pauseNanoseconds * Int64(attempts))
            }
        }

        /// Whether what has ended a transaction may be over the next time.
        private static func mayPass(_ error: KafkaError) -> Bool {
            ![
                .tooLarge, .notAuthorised, .notAuthenticated, .fenced, .noSuchTopic, .log,
                .invalidArgument,
            ].contains(error.code)
        }

        /// How one transaction ended: without a reason, with a commit.
        private struct Ending { var reason: KafkaError? }

        /// One transaction; nil when there is nothing to copy.
        private mutating func attempt() throws(KafkaError) -> Ending? {
            var isAtEnd = true
            for lane in lanes { if try !lane.isAtEnd { isAtEnd = false } }
            if isAtEnd { return nil }
            let patience = Patience(milliseconds: options.patienceMilliseconds)
            try producer.begin()
            do throws(KafkaError) {
                try fill(patience)
                guard lanes.contains(where: \.hasMoved) else {
                    // Batches without rows.
                    try producer.abort(patience)
                    return nil
                }
                guard let aborted = try producer.commit(patience) else {
                    for lane in lanes { lane.commit() }
                    transactions += 1
                    return Ending()
                }
                throw aborted.reason
            } catch {
                try takeBack(after: error, patience)
                return Ending(reason: error)
            }
        }

        /// Ends a transaction that came to nothing, and goes back to what is committed.
        private func takeBack(
            after failure: KafkaError, _ patience: Patience
        ) throws(KafkaError) {
            // Where the client cannot even abort, what happened first says why.
            do throws(KafkaError) { try producer.abort(patience) } catch { throw failure }
            for lane in lanes { try lane.goBack() }
        }

        /// Adds rows and, behind them, where they end.
        private func fill(_ patience: Patience) throws(KafkaError) {
            var bytes = 0
            var isDone = false
            while !isDone, bytes < Self.transactionBytes, !stop.isSet {
                isDone = true
                for lane in lanes where bytes < Self.transactionBytes {
                    let worked = try lane.step {
                        (value, key, milliseconds, headers) throws(KafkaError) in
                        bytes += value.count
                        try add(lane, value, key, milliseconds, headers, patience)
                    }
                    if worked { isDone = false }
                }
            }
            for lane in lanes where lane.hasMoved {
                try lane.finish { (value, key, milliseconds, headers) throws(KafkaError) in
                    try add(lane, value, key, milliseconds, headers, patience)
                }
                let next = Array("\(lane.next)".utf8)
                let key = progress.key(lane.partition)
                try producer.add(
                    topic: progress.address.topic, partition: ProgressTopic.partition,
                    value: next.span, key: key.span,
                    milliseconds: Clock.wallNanoseconds() / 1_000_000, patience)
            }
        }

        private func add(
            _ lane: OutboundLane, _ value: Span<UInt8>, _ key: Span<UInt8>?,
            _ milliseconds: Int64, _ headers: [RowHeader], _ patience: Patience
        ) throws(KafkaError) {
            try producer.add(
                topic: address.topic, partition: lane.target, value: value, key: key,
                milliseconds: milliseconds, headers: headers, patience)
        }

        private func wait() throws(KafkaError) {
            producer.client.poll()
            if lanes.count == 1 { return try lanes[0].wait(nanoseconds: Self.waitNanoseconds) }
            PinnedThread.sleep(nanoseconds: Self.waitNanoseconds)
        }

        private var summary: MirrorSummary {
            var summary = MirrorSummary(
                from: topic.name, to: address.description, format: format)
            summary.batches = transactions
            for lane in lanes {
                var part = MirrorSummary.Partition(
                    partition: lane.partition, target: lane.target,
                    nextOffset: Int64(lane.committed))
                part.rows = lane.rows
                summary.partitions.append(part)
                summary.rows += lane.rows
                summary.records += lane.records
                summary.bytes += lane.bytes
            }
            return summary
        }
    }
#endif
