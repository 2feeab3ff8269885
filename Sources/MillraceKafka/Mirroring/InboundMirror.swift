#if Kafka
    internal import MillraceLog
    internal import MillraceSystem

    /// Copies a Kafka topic into a topic of the log.
    struct InboundMirror {
        private let address: KafkaAddress
        private let options: MirrorOptions
        private let stop: StopRequest
        private let topic: Topic
        private let format: KafkaFormat
        private let consumer: KafkaConsumer
        private var lanes: [InboundLane] = []
        /// Where each partition ended when the mirror began.
        private var ends: [Int64] = []

        /// In the dictionary, texts that begin with this name the topics of clusters.
        static let prefix = "kafka:"
        private static let pollMilliseconds: Int32 = 100
        /// How long records that have been taken wait for more at most.
        private static let lingerNanoseconds: Int64 = 200_000_000
        private static let probeNanoseconds: Int64 = 2_000_000_000

        init(
            _ address: KafkaAddress, data: DataDirectory, topic name: String,
            options: MirrorOptions, stop: StopRequest, hooks: MirrorHooks
        ) throws(KafkaError) {
            self.address = address
            self.options = options
            self.stop = stop
            let existing = try Self.existing(data, name)
            if let existing { try Self.check(existing, options.format) }
            consumer = try KafkaConsumer(address, options.properties)
            let patience = Patience(milliseconds: options.connectMilliseconds, stop: stop)
            guard let partitions = try consumer.client.partitions(of: address.topic, patience)
            else {
                throw KafkaError(
                    .noSuchTopic, "there is no such topic", at: address.description,
                    advice: KafkaError.advice(for: .noSuchTopic))
            }
            if let existing {
                topic = existing
            } else {
                topic = try Self.create(data, name, partitions, options.format)
            }
            format = options.format ?? .standard(for: topic.configuration.kind)
            let source =
                "\(Self.prefix)\(consumer.client.clusterName(patience))/\(address.topic)"
            let ranges = try consumer.client.offsets(
                of: address.topic, partitions: partitions, patience)
            for (partition, range) in ranges.enumerated() {
                let lane: InboundLane
                do throws(LogError) {
                    lane = try InboundLane(
                        topic, source: source, partition: partition, format: format,
                        policy: options.onBadRecord, start: range.lowerBound,
                        onRows: hooks.onRows)
                } catch { throw KafkaError(error) }
                try settle(lane, range)
                lanes.append(lane)
                ends.append(range.upperBound)
            }
        }

        private static func existing(
            _ data: DataDirectory, _ name: String
        ) throws(KafkaError) -> Topic? {
            do throws(LogError) { return try data.topic(name) } catch {
                guard error.code == .notFound else { throw KafkaError(error) }
                return nil
            }
        }

        private static func check(_ topic: Topic, _ format: KafkaFormat?) throws(KafkaError) {
            let kind = topic.configuration.kind
            guard kind != .predictions else {
                throw KafkaError(
                    .invalidArgument,
                    "topic '\(topic.name)' holds predictions, which millrace score makes",
                    advice: "Mirror into a topic of bytes or of features.")
            }
            guard let format, !format.fits(kind) else { return }
            throw KafkaError(
                .invalidArgument,
                "topic '\(topic.name)' holds \(kind.rawValue), which \(format.rawValue) is not for")
        }

        private static func create(
            _ data: DataDirectory, _ name: String, _ partitions: Int, _ format: KafkaFormat?
        ) throws(KafkaError) -> Topic {
            guard format ?? .bytes == .bytes else {
                throw KafkaError(
                    .noSuchTopic,
                    "there is no topic '\(name)', and how many features it has is "
                        + "not for Kafka to say",
                    advice: "Make it: millrace topic create \(name) --features N "
                        + "--partitions \(partitions)")
            }
            return try ofLog { () throws(LogError) in
                try data.topic(
                    name,
                    creating: TopicConfiguration(
                        partitions: min(partitions, TopicConfiguration.maxPartitions), kind: .bytes)
                )
            }
        }

        /// Checks where a lane goes on against what Kafka has, and begins to fetch.
        private func settle(_ lane: InboundLane, _ range: Range<Int64>) throws(KafkaError) {
            let place = "\(address), partition \(lane.partition)"
            if lane.next > range.upperBound {
                throw KafkaError(
                    .offsetOutOfRange,
                    "the topic ends at offset \(range.upperBound), and records up to "
                        + "\(lane.next) were copied: it is not the topic that it was",
                    at: place, advice: "Mirror it into another local topic.")
            }
            if lane.next < range.lowerBound {
                guard options.onOutOfRange == .earliest else {
                    throw KafkaError(
                        .offsetOutOfRange,
                        "offsets \(lane.next) to \(range.lowerBound - 1) were removed before they "
                            + "were copied",
                        at: place,
                        advice: "--on-out-of-range earliest goes on with what is left.")
                }
                lane.skip(to: range.lowerBound)
            }
            lane.isAtEnd = lane.next >= range.upperBound
            try consumer.start(partition: lane.partition, at: lane.next)
        }

        // MARK: Copying

        mutating func run() throws(KafkaError) -> MirrorSummary {
            do throws(KafkaError) { try copy() } catch {
                // What was taken is whole; an error of the log itself would only come again.
                if error.code != .log, error.code != .fenced { try appendAll() }
                throw error
            }
            try appendAll()
            for lane in lanes { try lane.close() }
            return summary
        }

        private func copy() throws(KafkaError) {
            var heard = Clock.monotonicNanoseconds()
            var appended = heard
            while !stop.isSet, options.follow || !lanes.allSatisfy(\.isAtEnd) {
                let count = try consumer.poll(milliseconds: Self.pollMilliseconds) {
                    (event, record) throws(KafkaError) in
                    guard lanes.indices.contains(record.partition) else { return }
                    let lane = lanes[record.partition]
                    switch event {
                    case .record:
                        try lane.take(
                            value: record.value, key: record.key,
                            RecordPlace(
                                topic: address, partition: record.partition,
                                offset: record.offset, milliseconds: record.milliseconds)
                        ) { () throws(RecordFault) in try record.headers() }
                        if lane.next >= ends[record.partition] { lane.isAtEnd = true }
                    case .endOfPartition: lane.isAtEnd = true
                    }
                }
                let now = Clock.monotonicNanoseconds()
                if count == 0 || now - appended > Self.lingerNanoseconds {
                    try appendAll()
                    appended = now
                }
                if count > 0 { heard = now }
                guard now - heard > Self.probeNanoseconds else { continue }
                try probe()
                heard = Clock.monotonicNanoseconds()
            }
        }

        /// Finds out whether a broker is there at all, when nothing has come for a while and one
        /// was lost.
        private func probe() throws(KafkaError) {
            guard consumer.client.notes.hasError else { return }
            let patience = Patience(milliseconds: options.patienceMilliseconds, stop: stop)
            do throws(KafkaError) {
                _ = try consumer.client.partitions(of: address.topic, patience)
                consumer.client.notes.forgetError()
            } catch {
                if !stop.isSet { throw error }
            }
        }

        private func appendAll() throws(KafkaError) {
            for lane in lanes { try lane.append() }
        }

        private var summary: MirrorSummary {
            var summary = MirrorSummary(
                from: address.description, to: topic.name, format: format)
            for lane in lanes {
                var part = MirrorSummary.Partition(
                    partition: lane.partition, target: lane.target, nextOffset: lane.next)
                part.rows = lane.rows
                summary.partitions.append(part)
                summary.rows += lane.rows
                summary.records += lane.records
                summary.batches += lane.batches
                summary.bytes += lane.bytes
                for (reason, count) in lane.skipped {
                    summary.skipped[reason.name, default: 0] += count
                }
            }
            return summary
        }
    }
#endif
