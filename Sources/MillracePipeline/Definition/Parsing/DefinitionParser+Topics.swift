extension DefinitionParser {
    enum TopicKey: String, CaseIterable {
        case partitions, bytes, features, predictions, dtype, label, codec, level
        case filter, scale, zeroPoint, flush, retentionBytes, retentionHours, retentionHoldBytes
        case segmentBytes, segmentMinutes
    }

    private enum CodecName: String, CaseIterable {
        case lz4, none
    }

    func topic(_ entry: YAMLValue.Entry) throws(PipelineError) -> TopicDefinition {
        if isKafka(entry.value) { return try kafkaTopic(entry) }
        let fields = try Fields<TopicKey>(
            entry.value, of: "topic \(quote(entry.key))", decoder)
        let content = try content(fields)
        return TopicDefinition(
            name: entry.key,
            partitions: try fields.integer(
                .partitions, default: 1, in: 1...TopicDefinition.maxPartitions),
            content: content, codec: try codec(fields), storage: try storage(fields, content),
            position: entry.keyPosition)
    }

    private func content(
        _ fields: Fields<TopicKey>
    ) throws(PipelineError) -> TopicDefinition.Content {
        let key = try fields.oneOf([.bytes, .features, .predictions])
        if key != .features {
            let value = try fields.required(key)
            guard try decoder.boolean(value, key.rawValue) else {
                throw decoder.mismatch(key.rawValue, "true", value)
            }
            for other in [TopicKey.dtype, .label] where fields[other] != nil {
                throw decoder.error(
                    "\(quote(other.rawValue)) belongs to a topic of features, and "
                        + "\(fields.what) holds \(key.rawValue)", at: fields.keyPosition(other))
            }
            return key == .bytes ? .bytes : .predictions
        }
        return .features(
            width: try width(fields.required(.features)), element: try element(fields),
            labelled: try fields.boolean(.label, default: false))
    }

    func width(_ value: YAMLValue) throws(PipelineError) -> TopicDefinition.Width {
        let expected = "the name of a preprocess stage or a number of features"
        let text = try decoder.text(value, "features", expected: expected)
        if text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return .fixed(
                try decoder.integer(value, "features", in: 1...TopicDefinition.maxFeatures))
        }
        return .stage(Reference(text, position: value.position))
    }

    private func element(
        _ fields: Fields<TopicKey>
    ) throws(PipelineError) -> TopicDefinition.Element {
        guard let value = fields[.dtype] else { return .float32 }
        return try decoder.choice(
            value, "dtype", among: TopicDefinition.Element.allCases)
    }

    func codec(_ fields: Fields<TopicKey>) throws(PipelineError) -> TopicDefinition.Codec {
        let level = try fields.optionalInteger(.level, in: 0...12)
        let name = try fields.choice(.codec, default: .lz4, among: CodecName.allCases)
        if name == .none {
            guard level == nil else {
                throw decoder.error(
                    "\(fields.what) is not compressed, so it has no level",
                    at: fields.keyPosition(.level))
            }
            return .none
        }
        return .lz4(level: level ?? 0)
    }
}
