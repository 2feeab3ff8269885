#if Kafka
    internal import MillraceKafka
    internal import MillraceLog

    /// The topics of Kafka that a stage writes: of one cluster, reached in one way.
    struct KafkaTargets: Sendable {
        private let topics: [(definition: KafkaTopicDefinition, hasLabels: Bool)]
        private let options: KafkaSinkOptions
        private let patienceMilliseconds: Int

        /// The topics of these definitions, which are Kafka's.
        init(_ definitions: [TopicDefinition]) {
            topics = definitions.compactMap { topic in
                guard let kafka = topic.kafka else { return nil }
                if case .features(_, _, labelled: true) = topic.content { return (kafka, true) }
                return (kafka, false)
            }
            guard let first = topics.first?.definition else {
                preconditionFailure("validated: a topic of Kafka is written")
            }
            options = KafkaSinkOptions(address: first.address, properties: first.properties)
            patienceMilliseconds = first.patienceMilliseconds
        }

        /// The topics' numbers of partitions, which `count` finds out.
        func countPartitions(
            _ count: (KafkaAddress) throws -> Int
        ) throws -> [Int] {
            try topics.map { try count($0.definition.address) }
        }

        /// A slot's own way to them, without transactions.
        func openSink() throws(KafkaError) -> KafkaSink {
            try KafkaSink(options, patienceMilliseconds: patienceMilliseconds)
        }

        /// A slot's own way to them, in transactions that commit what it has read.
        func openSink(_ member: KafkaMember) throws(KafkaError) -> KafkaSink {
            try member.open(options)
        }

        /// The lanes of the rows of source partition `number`.
        func lanes(
            _ sink: KafkaSink, _ partitions: [Int], from number: Int,
            _ specification: FrozenSpecification
        ) -> [any FeatureLane] {
            zip(topics, partitions).map { topic, count in
                KafkaFeatureLane(
                    sink, to: topic.definition, partition: number % count,
                    hasLabels: topic.hasLabels, specification)
            }
        }
    }
#endif
