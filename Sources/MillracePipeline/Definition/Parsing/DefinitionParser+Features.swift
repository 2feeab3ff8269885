internal import MillraceFeatures

extension DefinitionParser {
    private enum FeatureKey: String, CaseIterable {
        case column, columns
        case format = "as"
        case impute, scale, period, oneHot, limit, hash, bucketize, buckets
    }

    private static let maxVocabulary = 65_536

    func features(_ value: YAMLValue) throws(PipelineError) -> [FeatureDefinition] {
        var features: [FeatureDefinition] = []
        for element in try decoder.list(value, "features", of: "features") {
            features.append(try feature(element))
        }
        guard !features.isEmpty else {
            throw decoder.error("features: the list is empty", at: value.position)
        }
        return features
    }

    private func feature(_ value: YAMLValue) throws(PipelineError) -> FeatureDefinition {
        let fields = try Fields<FeatureKey>(value, of: "a feature", decoder)
        let column = try fields.text(try fields.oneOf([.column, .columns]))
        let given = [FeatureKey.oneHot, .hash, .bucketize].filter { fields[$0] != nil }
        let key: FeatureKey? = given.isEmpty ? nil : try fields.oneOf(given)
        let encoding: FeatureDefinition.Encoding
        switch key {
        case .oneHot:
            try allow([.limit], with: .oneHot, fields)
            encoding = .oneHot(try vocabulary(fields))
        case .hash:
            try allow([], with: .hash, fields)
            encoding = .hash(
                buckets: try decoder.integer(
                    fields.required(.hash), "hash", in: 1...TopicDefinition.maxFeatures))
        case .bucketize:
            try allow([.buckets], with: .bucketize, fields)
            encoding = .bucketize(try edges(fields))
        default:
            for key in [FeatureKey.limit, .buckets] where fields[key] != nil {
                throw decoder.error(
                    "\(quote(key.rawValue)) needs "
                        + (key == .limit ? "\"oneHot: auto\"" : "\"bucketize: auto\""),
                    at: fields.keyPosition(key))
            }
            encoding = .number(try number(fields))
        }
        return FeatureDefinition(column: column, encoding: encoding)
    }

    /// Refuses keys that mean nothing beside an encoding.
    private func allow(
        _ keys: [FeatureKey], with encoding: FeatureKey, _ fields: Fields<FeatureKey>
    ) throws(PipelineError) {
        let allowed = [.column, .columns, encoding] + keys
        for key in FeatureKey.allCases where fields[key] != nil && !allowed.contains(key) {
            throw decoder.error(
                "\(quote(key.rawValue)) means nothing beside \(quote(encoding.rawValue))",
                at: fields.keyPosition(key))
        }
    }

    private func number(_ fields: Fields<FeatureKey>) throws(PipelineError) -> NumberEncoding {
        var encoding = NumberEncoding()
        encoding.format = try fields.choice(
            .format, default: NumberFormat.plain, among: [.plain, .hhmm])
        if let value = fields[.scale] {
            encoding.scale = try decoder.choice(value, "scale", among: [Scale.standard])
        }
        if let value = fields[.impute] { encoding.impute = try impute(value) }
        if fields[.period] != nil {
            encoding.period = try fields.number(
                .period, default: 1, expected: "a number above 0"
            ) { $0 > 0 }
        }
        return encoding
    }

    private func impute(_ value: YAMLValue) throws(PipelineError) -> Impute {
        if case .scalar("mean", quoted: false) = value.content { return .mean }
        do throws(PipelineError) {
            return .constant(try decoder.number(value, "impute"))
        } catch {
            throw decoder.mismatch("impute", "mean or a number", value)
        }
    }

    private func vocabulary(
        _ fields: Fields<FeatureKey>
    ) throws(PipelineError) -> FeatureDefinition.Vocabulary {
        let value = try fields.required(.oneHot)
        if case .scalar("auto", quoted: false) = value.content {
            guard let limit = try fields.optionalInteger(.limit, in: 1...Self.maxVocabulary)
            else {
                throw decoder.error(
                    "\"oneHot: auto\" needs a \"limit\"", at: value.position,
                    advice: "It says how many values get a column of their own.")
            }
            return .auto(limit: limit)
        }
        guard fields[.limit] == nil else {
            throw decoder.error(
                "\"limit\" means nothing beside a list of values", at: fields.keyPosition(.limit))
        }
        guard case .list(let list) = value.content, !list.isEmpty else {
            throw decoder.mismatch("oneHot", "auto or a list of values", value)
        }
        return .listed(try decoder.texts(value, "oneHot", of: "values"))
    }

    private func edges(
        _ fields: Fields<FeatureKey>
    ) throws(PipelineError) -> FeatureDefinition.Edges {
        let value = try fields.required(.bucketize)
        if case .scalar("auto", quoted: false) = value.content {
            guard let count = try fields.optionalInteger(.buckets, in: 2...Self.maxVocabulary)
            else {
                throw decoder.error(
                    "\"bucketize: auto\" needs a number of \"buckets\"", at: value.position)
            }
            return .auto(count: count)
        }
        guard fields[.buckets] == nil else {
            throw decoder.error(
                "\"buckets\" means nothing beside a list of edges",
                at: fields.keyPosition(.buckets))
        }
        guard case .list(let list) = value.content, !list.isEmpty else {
            throw decoder.mismatch("bucketize", "auto or a list of edges", value)
        }
        var edges: [Double] = []
        for element in list {
            let edge = try decoder.number(element, "bucketize")
            if let last = edges.last, edge <= last {
                throw decoder.error(
                    "bucketize: edges must rise, and \(element.found) does not",
                    at: element.position)
            }
            edges.append(edge)
        }
        return .listed(edges)
    }
}
