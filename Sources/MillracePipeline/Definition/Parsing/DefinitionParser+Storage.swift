internal import MillraceLog

extension DefinitionParser {
    /// Reads how a topic's rows are kept.
    func storage(
        _ fields: Fields<TopicKey>, _ content: TopicDefinition.Content
    ) throws(PipelineError) -> TopicStorage {
        try allowScale(fields, content)
        return TopicStorage(
            filter: try filter(fields, content),
            scale: try fields.number(
                .scale, default: 1, expected: "a number above 0",
                where: { $0 > 0 && $0 < Double(Float.greatestFiniteMagnitude) }),
            zeroPoint: try fields.integer(.zeroPoint, default: 0, in: -128...255),
            flush: try flush(fields),
            retention: RetentionPolicy(
                bytes: try fields.optionalInteger(.retentionBytes, in: 1...1 << 50),
                milliseconds: try fields.optionalInteger(.retentionHours, in: 1...87_600).map {
                    $0 * 3_600_000
                }, heldBytes: try fields.optionalInteger(.retentionHoldBytes, in: 1...1 << 50)),
            segmentBytes: try fields.optionalInteger(.segmentBytes, in: 1 << 16...1 << 40),
            segmentMilliseconds: try fields.optionalInteger(.segmentMinutes, in: 1...5_256_000)
                .map { $0 * 60_000 })
    }

    private func filter(
        _ fields: Fields<TopicKey>, _ content: TopicDefinition.Content
    ) throws(PipelineError) -> Filter {
        let filter = try fields.choice(.filter, default: .none, among: Filter.allCases)
        guard filter != .none else { return filter }
        if content == .bytes {
            throw decoder.error(
                "the filter is for numbers, and \(fields.what) holds bytes",
                at: fields.keyPosition(.filter))
        }
        if try codec(fields) == .none {
            throw decoder.error(
                "the filter helps compression, and \(fields.what) is not compressed",
                at: fields.keyPosition(.filter))
        }
        return filter
    }

    /// Throws for a scale or a zero point that nothing uses.
    private func allowScale(
        _ fields: Fields<TopicKey>, _ content: TopicDefinition.Content
    ) throws(PipelineError) {
        if case .features(_, .uint8, _) = content { return }
        if case .features(_, .int8, _) = content { return }
        for key in [TopicKey.scale, .zeroPoint] where fields[key] != nil {
            throw decoder.error(
                "\(quote(key.rawValue)) belongs to features of dtype uint8 or int8",
                at: fields.keyPosition(key))
        }
    }

    /// `none`, `batch`, or a number of milliseconds.
    private func flush(_ fields: Fields<TopicKey>) throws(PipelineError) -> FlushPolicy {
        guard let value = fields[.flush] else { return .none }
        switch try fields.optionalText(.flush) {
        case "none": return .none
        case "batch": return .batch
        default:
            let milliseconds = try decoder.number(value, TopicKey.flush.rawValue)
            guard milliseconds >= 1, milliseconds <= 3_600_000,
                milliseconds == milliseconds.rounded()
            else {
                throw decoder.mismatch(
                    TopicKey.flush.rawValue, "none, batch or 1 to 3600000 milliseconds", value)
            }
            return .interval(milliseconds: Int(milliseconds))
        }
    }
}
