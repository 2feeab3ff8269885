#if Kafka
    internal import MillraceKafka
    internal import MillraceLog

    /// A partition of a Kafka topic, as records name it.
    struct KafkaPlace {
        var topic: String
        var partition: Int
    }

    /// The topic to which records go that a stage makes nothing of, with why and from where.
    struct DeadLetters {
        private let sink: KafkaSink
        private let topic: String
        private let partitions: Int

        init(_ sink: KafkaSink, topic: String, partitions: Int) {
            self.sink = sink
            self.topic = topic
            self.partitions = partitions
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
                topic: topic, partition: place.partition % partitions, value: value.span,
                key: record.key == nil ? nil : key.span, milliseconds: record.milliseconds,
                headers: headers)
        }
    }
#endif
