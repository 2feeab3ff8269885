internal import MillraceKafka

extension DefinitionParser {
    enum KafkaKey: String, CaseIterable {
        case kafka, format, columns, to, onBadRecord, onOutOfRange, properties
    }

    enum KafkaTopicKey: String, CaseIterable {
        case kafka, features, label, predictions, format, columns, onBadRecord, deadLetterTopic
        case onOutOfRange, patience, properties
    }

    /// Whether a source or a topic is one of Kafka.
    func isKafka(_ value: YAMLValue) -> Bool {
        guard case .map(let entries) = value.content else { return false }
        return entries.contains { $0.key == KafkaKey.kafka.rawValue }
    }

    func kafkaSource(_ value: YAMLValue) throws(PipelineError) -> KafkaSourceDefinition {
        let fields = try Fields<KafkaKey>(value, of: "a source", decoder)
        let text = try fields.text(.kafka)
        let address = try kafka(at: try fields.required(.kafka)) { () throws(KafkaError) in
            try KafkaAddress(text)
        }
        var format: KafkaFormat?
        if fields[.format] != nil {
            format = try fields.choice(.format, default: .bytes, among: KafkaFormat.allCases)
        }
        var columns: [String]?
        if let value = fields[.columns] {
            columns = try decoder.texts(value, "columns", of: "column names")
        }
        return KafkaSourceDefinition(
            address: address, format: format, columns: columns, to: try fields.reference(.to),
            onBadRecord: try fields.choice(
                .onBadRecord, default: .stop, among: BadRecordPolicy.allCases),
            onOutOfRange: try fields.choice(
                .onOutOfRange, default: .error, among: LostRecordPolicy.allCases),
            properties: try properties(fields[.properties]), position: value.position)
    }

    /// A topic of Kafka that stages read or write.
    func kafkaTopic(_ entry: YAMLValue.Entry) throws(PipelineError) -> TopicDefinition {
        let fields = try Fields<KafkaTopicKey>(
            entry.value, of: "topic \(quote(entry.key)) of Kafka", decoder)
        let text = try fields.text(.kafka)
        let address = try kafka(at: try fields.required(.kafka)) { () throws(KafkaError) in
            try KafkaAddress(text)
        }
        let isWritten = try fields.boolean(.predictions, default: false)
        var content = isWritten ? TopicDefinition.Content.predictions : .bytes
        if let value = fields[.features] {
            _ = try fields.oneOf([.features, .predictions])
            content = .features(
                width: try width(value), element: .float32,
                labelled: try fields.boolean(.label, default: false))
        } else if fields[.label] != nil {
            throw decoder.error(
                "\(quote(KafkaTopicKey.label.rawValue)) belongs to a topic of features",
                at: fields.keyPosition(.label))
        }
        var topic = KafkaTopicDefinition(
            address: address, properties: try properties(fields[.properties]))
        topic.patienceMilliseconds =
            1000
            * (try fields.integer(
                .patience, default: topic.patienceMilliseconds / 1000,
                in: MirrorOptions.patienceSeconds))
        if isWritten {
            topic.predictionFormat = try fields.choice(
                .format, default: .json, among: KafkaPredictionFormat.allCases)
            for key in [KafkaTopicKey.columns, .onBadRecord, .deadLetterTopic, .onOutOfRange]
            where fields[key] != nil {
                throw decoder.error(
                    "\(quote(key.rawValue)) is for topics that are read",
                    at: fields.keyPosition(key))
            }
        } else {
            try readers(fields, &topic, content)
        }
        return TopicDefinition(
            name: entry.key, content: content, kafka: topic,
            position: entry.keyPosition)
    }

    private func readers(
        _ fields: Fields<KafkaTopicKey>, _ topic: inout KafkaTopicDefinition,
        _ content: TopicDefinition.Content
    ) throws(PipelineError) {
        if case .features = content {
            topic.rowFormat = try fields.choice(
                .format, default: .float32, among: [.float32, .json, .block])
        } else {
            topic.rowFormat = try fields.choice(
                .format, default: .json, among: KafkaRowFormat.allCases)
        }
        if let value = fields[.columns] {
            topic.columns = try decoder.texts(value, "columns", of: "column names")
        }
        topic.onBadRecord = try fields.choice(
            .onBadRecord, default: .stop, among: BadRecordAction.allCases)
        topic.deadLetterTopic = try fields.optionalText(.deadLetterTopic)
        if let value = fields[.deadLetterTopic], let name = topic.deadLetterTopic {
            try decoder.name(name, "topic", at: value.position)
        }
        topic.onOutOfRange = try fields.choice(
            .onOutOfRange, default: .error, among: LostRecordPolicy.allCases)
    }

    /// Properties for librdkafka; values may be secret and are not repeated in errors.
    func properties(_ value: YAMLValue?) throws(PipelineError) -> KafkaProperties {
        var properties = KafkaProperties()
        guard let value else { return properties }
        for entry in try decoder.entries(value, "properties") {
            guard case .scalar(let text, _) = entry.value.content else {
                throw decoder.error(
                    "properties: \(quote(entry.key)) takes text", at: entry.value.position)
            }
            try kafka(at: entry.value) { () throws(KafkaError) in
                try properties.set(entry.key, text)
            }
        }
        return properties
    }

    /// Runs `body`, an error of which is one of this place in the file.
    func kafka<R>(
        at value: YAMLValue, _ body: () throws(KafkaError) -> R
    ) throws(PipelineError) -> R {
        do throws(KafkaError) { return try body() } catch {
            throw decoder.error(error.summary, at: value.position, advice: error.advice)
        }
    }
}
