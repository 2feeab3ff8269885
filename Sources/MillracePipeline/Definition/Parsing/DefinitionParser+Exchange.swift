internal import MillraceKafka

/// What a train stage says of trainers beside it.
extension DefinitionParser {
    private enum ExchangeKey: String, CaseIterable {
        case topic, trainer, everyRows, roundTime, patience, properties
    }

    private static let partitionNumbers = 0...TopicDefinition.maxPartitions - 1

    func partitions(_ value: YAMLValue?) throws(PipelineError) -> [Int]? {
        guard let value else { return nil }
        var numbers: [Int] = []
        for one in try decoder.list(value, "partitions", of: "partition numbers") {
            let number = try decoder.integer(one, "partitions", in: Self.partitionNumbers)
            guard !numbers.contains(number) else {
                throw decoder.error("partitions: \(number) is listed twice", at: one.position)
            }
            numbers.append(number)
        }
        guard !numbers.isEmpty else {
            throw decoder.error("partitions: expected at least one number", at: value.position)
        }
        return numbers
    }

    func exchange(_ value: YAMLValue?) throws(PipelineError) -> ModelExchange? {
        guard let value else { return nil }
        let fields = try Fields<ExchangeKey>(value, of: "exchange", decoder)
        let text = try fields.text(.topic)
        let place = try fields.required(.topic)
        let topic = try kafka(at: place) { () throws(KafkaError) in
            try ModelExchange.Place(parsing: text)
        }
        if case .log = topic { try decoder.name(text, "topic", at: place.position) }
        let trainer = try fields.text(.trainer)
        try decoder.name(trainer, "trainer", at: try fields.required(.trainer).position)
        var exchange = ModelExchange(topic: topic, trainer: trainer)
        exchange.everyRows = try fields.integer(
            .everyRows, default: exchange.everyRows, in: 1...(1 << 40))
        let range = ModelExchange.roundMillisecondsRange
        let seconds = try fields.number(
            .roundTime, default: Double(exchange.roundMilliseconds) / 1000,
            expected: "seconds from \(Double(range.lowerBound) / 1000) to "
                + "\(range.upperBound / 1000)"
        ) { (Double(range.lowerBound) / 1000...Double(range.upperBound) / 1000).contains($0) }
        exchange.roundMilliseconds = Int((seconds * 1000).rounded())
        for key in [ExchangeKey.patience, .properties] where fields[key] != nil {
            guard case .kafka = topic else {
                throw decoder.error(
                    "\(quote(key.rawValue)) is for topics of Kafka", at: fields.keyPosition(key))
            }
        }
        exchange.patienceMilliseconds =
            1000
            * (try fields.integer(
                .patience, default: exchange.patienceMilliseconds / 1000,
                in: MirrorOptions.patienceSeconds))
        exchange.properties = try properties(fields[.properties])
        return exchange
    }
}
