internal import MillraceFeatures

extension DefinitionParser {
    private enum FeatureKey: String, CaseIterable {
        case column, columns, cross
        case format = "as"
        case clip, log1p, scale, impute, indicator, period, oneHot, limit, hash, bucketize, buckets
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
        guard try fields.oneOf([.column, .columns, .cross]) != .cross else {
            return try cross(fields)
        }
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

    /// Columns whose texts are hashed together.
    private func cross(_ fields: Fields<FeatureKey>) throws(PipelineError) -> FeatureDefinition {
        try allow([.hash], with: .cross, fields)
        let value = try fields.required(.cross)
        let columns = try decoder.texts(value, "cross", of: "columns")
        guard let first = columns.first, columns.count > 1 else {
            throw decoder.error("cross: at least two columns are needed", at: value.position)
        }
        guard let hash = fields[.hash] else {
            throw decoder.error(
                "\"cross\" needs a \"hash\"", at: fields.keyPosition(.cross),
                advice: "It says how many features the pairs of values are spread over.")
        }
        return FeatureDefinition(
            column: first,
            encoding: .cross(
                with: Array(columns.dropFirst()),
                buckets: try decoder.integer(hash, "hash", in: 1...TopicDefinition.maxFeatures)))
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
            .format, default: NumberFormat.plain, among: NumberFormat.allCases)
        if let value = fields[.clip] { encoding.clip = try bounds(value, "clip") }
        encoding.log1p = try fields.boolean(.log1p, default: false)
        if let value = fields[.scale] { encoding.scale = try scale(value) }
        encoding.indicator = try fields.boolean(.indicator, default: false)
        if let value = fields[.impute] { encoding.impute = try impute(value) }
        if fields[.period] != nil {
            encoding.period = try fields.number(
                .period, default: 1, expected: "a number above 0"
            ) { $0 > 0 }
        }
        return encoding
    }

    private enum ScaleKey: String, CaseIterable {
        case minMax
    }

    private func scale(_ value: YAMLValue) throws(PipelineError) -> Scale {
        if case .scalar("standard", quoted: false) = value.content { return .standard }
        if case .scalar("minMax", quoted: false) = value.content { return .minMax(nil) }
        guard case .map = value.content else {
            throw decoder.mismatch(
                "scale", "standard, minMax or {minMax: [LOW, HIGH]}", value)
        }
        let fields = try Fields<ScaleKey>(value, of: "scale", decoder)
        return .minMax(try bounds(fields.required(.minMax), "minMax"))
    }

    /// Two numbers, of which the second is not below the first.
    private func bounds(
        _ value: YAMLValue, _ key: String
    ) throws(PipelineError) -> ClosedRange<Double> {
        guard case .list(let list) = value.content, list.count == 2 else {
            throw decoder.mismatch(key, "two numbers, the lower bound and the upper", value)
        }
        let low = try decoder.number(list[0], key)
        let high = try decoder.number(list[1], key)
        guard low <= high else {
            throw decoder.error(
                "\(key): the upper bound \(list[1].found) is below the lower", at: list[1].position)
        }
        return low...high
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
