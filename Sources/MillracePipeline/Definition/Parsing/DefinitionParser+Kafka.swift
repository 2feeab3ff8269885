internal import MillraceKafka

extension DefinitionParser {
    enum KafkaKey: String, CaseIterable {
        case kafka, format, columns, to, onBadRecord, onOutOfRange, properties
    }

    /// Whether an entry of `sources` is a Kafka topic, not a file.
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

    /// Properties for librdkafka; values may be secret and are not repeated in errors.
    private func properties(_ value: YAMLValue?) throws(PipelineError) -> KafkaProperties {
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
    private func kafka<R>(
        at value: YAMLValue, _ body: () throws(KafkaError) -> R
    ) throws(PipelineError) -> R {
        do throws(KafkaError) { return try body() } catch {
            throw decoder.error(error.summary, at: value.position, advice: error.advice)
        }
    }
}
