internal import MillraceInput

/// Finds what makes no sense in a definition or specification before a row is read by it.
struct DefinitionCheck {
    let columns: [String]
    private let positions: [String: Int]
    private let format: TextFormat

    init(_ schema: RowSchema) {
        positions = schema.positions
        columns = schema.columns
        format = schema.format
    }

    func columnNames() throws(FeatureError) {
        if format == .lines, columns.count != 1 {
            throw FeatureError(
                .invalidDefinition, at: "columns",
                "a row that is a line has one column, not \(columns.count)")
        }
        if columns.isEmpty || columns.contains("") || Set(columns).count != columns.count {
            throw FeatureError(
                .invalidDefinition, at: "columns",
                "the columns need names, all of them different")
        }
    }

    /// The position of a column that has to be there.
    @discardableResult
    func position(of column: String, at location: String) throws(FeatureError) -> Int {
        if let index = positions[column] { return index }
        throw FeatureError(
            .unknownColumn, at: location,
            "there is no column '\(column)'" + NearestName.hint(column, among: columns)
                + "; the columns are \(columns.prefix(40).joined(separator: ", "))"
                + (columns.count > 40 ? ", ..." : ""))
    }

    func features(
        _ features: [FrozenFeature], missingValues: [String], label: LabelRule?
    ) throws(FeatureError) {
        if features.isEmpty {
            throw FeatureError(.invalidDefinition, at: "features", "no feature is asked for")
        }
        var width = 0
        for (index, feature) in features.enumerated() {
            let location = "features[\(index)]"
            let seen = feature.columns
            for column in seen { try position(of: column, at: location) }
            if let label, seen.contains(label.column) {
                throw FeatureError(
                    .invalidDefinition, at: location,
                    "'\(label.column)' is what the label is made from: a model that sees it "
                        + "learns nothing else")
            }
            if Set(seen).count != seen.count {
                throw FeatureError(
                    .invalidDefinition, at: location, "a column is crossed with itself")
            }
            try encoding(feature.encoding, missingValues, at: location)
            width += feature.width
            if width > FeatureSpecification.maxWidth {
                throw FeatureError(
                    .invalidDefinition, at: location,
                    "more than \(FeatureSpecification.maxWidth) features: lower a limit or a "
                        + "number of buckets")
            }
        }
    }

    private func encoding(
        _ encoding: FrozenFeature.Encoding, _ missingValues: [String], at location: String
    ) throws(FeatureError) {
        switch encoding {
        case .number(let number):
            try self.number(number, at: location)
        case .oneHot(let vocabulary, let limit):
            try count(limit, "limit", at: location)
            try texts(vocabulary, "vocabulary", canBeEmpty: true, at: location)
            if vocabulary.count > limit {
                throw FeatureError(
                    .invalidDefinition, at: location,
                    "\(vocabulary.count) values for a limit of \(limit)")
            }
            let missing = missingValues.map { Array($0.utf8) }
            if let value = vocabulary.first(where: { missing.contains(Array($0.utf8)) }) {
                throw FeatureError(
                    .invalidDefinition, at: location,
                    "'\(value)' means that a value is missing, so it cannot be in the vocabulary")
            }
        case .hash(let buckets):
            try count(buckets, "hash", at: location)
        case .cross(let others, let buckets):
            try count(buckets, "hash", at: location)
            if others.isEmpty {
                throw FeatureError(
                    .invalidDefinition, at: location, "a cross needs at least two columns")
            }
        case .bucketize(let edges, let count):
            try self.count(count, "bucketize", at: location)
            let isRising = zip(edges, edges.dropFirst()).allSatisfy { $0 < $1 }
            guard isRising, edges.allSatisfy(\.isFinite), edges.count < count else {
                throw FeatureError(
                    .invalidDefinition, at: location,
                    "edges have to be finite, rising, and fewer than the \(count) buckets")
            }
        }
    }

    private func number(_ number: NumberEncoding, at location: String) throws(FeatureError) {
        try bounds(number.clip, "clip", at: location)
        if case .minMax(let found) = number.scale { try bounds(found, "minMax", at: location) }
        if let period = number.period { try self.period(period, number, at: location) }
        guard case .constant(let value) = number.impute else { return }
        guard Float(value).isFinite else {
            throw FeatureError(
                .invalidDefinition, at: location, "a missing number cannot become \(value)")
        }
        if number.period != nil {
            throw FeatureError(
                .invalidDefinition, at: location,
                "a cyclic number has a sine and a cosine, which no one constant can stand for: "
                    + "impute the mean")
        }
    }

    private func period(
        _ period: Double, _ number: NumberEncoding, at location: String
    ) throws(FeatureError) {
        guard period > 0, period.isFinite else {
            throw FeatureError(
                .invalidDefinition, at: location, "a period has to be above 0, not \(period)")
        }
        if case .minMax = number.scale {
            throw FeatureError(
                .invalidDefinition, at: location,
                "a cyclic number has a sine and a cosine, which are between -1 and 1 already")
        }
    }

    private func bounds(
        _ bounds: ClosedRange<Double>?, _ name: String, at location: String
    ) throws(FeatureError) {
        guard let bounds else { return }
        guard Float(bounds.lowerBound).isFinite, Float(bounds.upperBound).isFinite else {
            throw FeatureError(
                .invalidDefinition, at: location, "the bounds of \(name) have to be finite")
        }
    }

    private func count(_ value: Int, _ name: String, at location: String) throws(FeatureError) {
        if value >= 1, value <= FeatureSpecification.maxWidth { return }
        throw FeatureError(
            .invalidDefinition, at: location,
            "\(name) has to be from 1 to \(FeatureSpecification.maxWidth), not \(value)")
    }

    private func texts(
        _ texts: [String], _ name: String, canBeEmpty: Bool, at location: String
    ) throws(FeatureError) {
        // By bytes, as values are compared.
        if Set(texts.map { Array($0.utf8) }).count != texts.count {
            throw FeatureError(.invalidDefinition, at: location, "\(name) names a value twice")
        }
        if texts.isEmpty, !canBeEmpty {
            throw FeatureError(.invalidDefinition, at: location, "\(name) names no value")
        }
    }

    func label(_ label: LabelRule) throws(FeatureError) {
        try position(of: label.column, at: "label")
        switch label.rule {
        case .test(let test): try self.test(test, at: "label")
        case .value: break
        case .classes(let names): try texts(names, "classes", canBeEmpty: false, at: "label")
        }
    }

    func routes(_ routes: [Condition?]) throws(FeatureError) {
        if routes.isEmpty {
            throw FeatureError(.invalidDefinition, at: "to", "rows have nowhere to go")
        }
        for (index, route) in routes.enumerated() {
            let location = "to[\(index)]"
            if index > 0, routes[index - 1] == nil {
                throw FeatureError(
                    .invalidDefinition, at: location,
                    "no row gets here: the one before it has no 'where' and takes them all")
            }
            if let route { try condition(route, at: location) }
        }
    }

    private func condition(_ condition: Condition, at location: String) throws(FeatureError) {
        switch condition {
        case .column(let column, let tests):
            try position(of: column, at: location)
            if tests.isEmpty {
                throw FeatureError(
                    .invalidDefinition, at: location, "nothing is asked of '\(column)'")
            }
            for test in tests { try self.test(test, at: location) }
        case .offset(let modulo, let equals):
            if equals >= modulo {
                throw FeatureError(
                    .invalidDefinition, at: location,
                    "no offset leaves \(equals) when divided by \(modulo)")
            }
        }
    }

    private func test(_ test: ValueTest, at location: String) throws(FeatureError) {
        switch test {
        case .atMost(let bound), .atLeast(let bound), .lessThan(let bound),
            .greaterThan(let bound):
            if !bound.isFinite {
                throw FeatureError(
                    .invalidDefinition, at: location, "no number can be compared to \(bound)")
            }
        case .equals: break
        case .isIn(let values): try texts(values, "in", canBeEmpty: false, at: location)
        }
    }
}
