#if Kafka
    internal import MillraceFeatures
    internal import MillraceKafka
    internal import MillraceLog

    /// One output partition of a preprocess stage, in Kafka: each row is a record with the key and
    /// the time of what it is of, or they come in blocks.
    ///
    /// When they count is for the sink to say; a row that no lane gets is only counted.
    final class KafkaFeatureLane: FeatureLane {
        private let sink: KafkaSink
        private let topic: String
        private let partition: Int
        private var writer: VectorWriter?

        /// Writes features of `specification` to a partition of a topic.
        init(
            _ sink: KafkaSink, to topic: KafkaTopicDefinition, partition: Int, hasLabels: Bool,
            _ specification: FrozenSpecification
        ) {
            self.sink = sink
            self.topic = topic.address.topic
            self.partition = partition
            writer = VectorWriter(
                topic.featureFormat,
                of: TopicConfiguration(
                    kind: .features, features: specification.value.width, label: hasLabels),
                specification: specification.identifier, maxRecordBytes: sink.maxRecordBytes)
        }

        func begin(at offset: UInt64) { writer?.reset() }

        func add(_ row: Span<Float>, label: Float, _ origin: borrowing RowOrigin) throws {
            try writer?.write(
                row, label: label, key: origin.key, RowContext(timestamp: origin.timestamp), send)
        }

        func drop(offset: UInt64, reason: UInt32) {}

        func finish(at end: UInt64, epoch: UInt32) throws { try writer?.finish(send) }

        /// Adds records to what the sink commits next.
        private var send: RecordTaker {
            let (sink, topic, partition) = (sink, topic, partition)
            return { (value, key, milliseconds, headers) throws(KafkaError) in
                try sink.add(
                    topic: topic, partition: partition, value: value, key: key,
                    milliseconds: milliseconds, headers: headers)
            }
        }

        func close() {}
    }
#endif
