#if Kafka
    internal import MillraceKafka
    internal import MillraceLog

    /// A partition of a Kafka topic, as records name it.
    struct KafkaPlace {
        var topic: String
        var partition: Int
    }

    /// The topic for records that a stage makes nothing of.
    struct DeadLetterTopic: Sendable {
        fileprivate let name: String
        fileprivate let partitions: Int

        /// That of a source; nil where it has none.
        init?(of source: KafkaTopicDefinition, _ group: KafkaGroup) throws(KafkaError) {
            guard let name = source.deadLetters else { return nil }
            self.name = name
            partitions = try group.partitions(of: source.address.topic(name))
        }
    }

    /// A slot's way to the dead letters: records go there with why and from where.
    struct DeadLetters {
        private let sink: KafkaSink
        private let topic: DeadLetterTopic

        init(_ sink: KafkaSink, to topic: DeadLetterTopic) {
            self.sink = sink
            self.topic = topic
        }

        /// Adds a record, as it was, to what the sink commits next.
        func add(_ record: RefusedRecord, from place: KafkaPlace) throws(KafkaError) {
            let headers =
                record.headers + [
                    RowHeader("millrace-reason", Array(record.refusal.name.utf8)),
                    RowHeader("millrace-error", Array(record.refusal.message.utf8)),
                    RowHeader("millrace-topic", Array(place.topic.utf8)),
                    RowHeader("millrace-partition", Array("\(place.partition)".utf8)),
                    RowHeader("millrace-offset", Array("\(record.offset)".utf8)),
                ]
            let value = record.value ?? []
            let key = record.key ?? []
            try sink.add(
                topic: topic.name, partition: place.partition % topic.partitions, value: value.span,
                key: record.key == nil ? nil : key.span, milliseconds: record.milliseconds,
                headers: headers)
        }
    }
#endif
