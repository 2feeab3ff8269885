/// How one column becomes features, nothing left to be fitted.
public struct FrozenFeature: Sendable, Equatable {
    /// The column's name.
    public let column: String
    /// How its text becomes numbers.
    public let encoding: Encoding

    /// Encodes `column` by `encoding`.
    public init(column: String, encoding: Encoding) {
        self.column = column
        self.encoding = encoding
    }

    /// How a column's text becomes numbers: `FeatureDefinition.Encoding`, frozen.
    public enum Encoding: Sendable, Equatable {
        /// The number; or the sine and the cosine of its place in its period; and the indicator.
        case number(NumberEncoding)
        /// One of `limit + 2` features is 1: that of the value's place in `vocabulary`, which may
        /// leave some unused; then *rare or unseen*, then *missing*.
        case oneHot(vocabulary: [String], limit: Int)
        /// The feature `StableHash.hash(text) mod buckets` is 1.
        case hash(buckets: Int)
        /// The feature `StableHash` of the column's text and those of the columns in `with`, between
        /// which stands the byte 0xFF, `mod buckets` is 1.
        case cross(with: [String], buckets: Int)
        /// One of `count + 1` features is 1: that of the number of edges that the value is not
        /// below, which may leave some unused; then *missing*.
        case bucketize(edges: [Double], count: Int)
    }

    /// All columns that are needed: the feature's own, and those that it is crossed with.
    public var columns: [String] {
        if case .cross(let others, _) = encoding { return [column] + others }
        return [column]
    }

    /// Whether a program that reads version 1 of stored specifications would take it for another.
    var needsVersion2: Bool {
        switch encoding {
        case .number(let number):
            if case .minMax = number.scale { return true }
            return number.clip != nil || number.log1p || number.indicator
                || ![.plain, .hhmm].contains(number.format)
        case .cross: return true
        case .oneHot, .hash, .bucketize: return false
        }
    }

    /// How many features the column becomes.
    public var width: Int {
        switch encoding {
        case .number(let number): number.width
        case .oneHot(_, let limit): limit + 2
        case .hash(let buckets), .cross(_, let buckets): buckets
        case .bucketize(_, let count): count + 1
        }
    }

    /// What the model does with each of the features; as many as `width`.
    public var policies: [FeaturePolicy] {
        guard case .number(let number) = encoding else {
            return Array(repeating: FeaturePolicy(), count: width)
        }
        let policy = FeaturePolicy(isScaled: number.scale == .standard, impute: number.impute)
        let indicator = number.indicator ? [FeaturePolicy()] : []
        return Array(repeating: policy, count: width - indicator.count) + indicator
    }

    /// The features' names, as people read them: `carrier=UA`, `distance 500..<1000`.
    public var names: [String] {
        switch encoding {
        case .number(let number):
            let names = number.period == nil ? [column] : ["\(column) (sin)", "\(column) (cos)"]
            return names + (number.indicator ? ["\(column) (missing)"] : [])
        case .oneHot(let vocabulary, let limit):
            let unused = (vocabulary.count..<max(limit, vocabulary.count)).map {
                "\(column) (unused \($0))"
            }
            return vocabulary.map { "\(column)=\($0)" } + unused
                + ["\(column) (rare)", "\(column) (missing)"]
        case .hash(let buckets):
            return (0..<buckets).map { "\(column) #\($0)" }
        case .cross(let others, let buckets):
            let name = ([column] + others).joined(separator: " x ")
            return (0..<buckets).map { "\(name) #\($0)" }
        case .bucketize(let edges, let count):
            return (0..<count).map { Self.bucketName(column, edges, $0) } + ["\(column) (missing)"]
        }
    }

    private static func bucketName(_ column: String, _ edges: [Double], _ bucket: Int) -> String {
        if bucket > edges.count { return "\(column) (unused \(bucket))" }
        if edges.isEmpty { return "\(column) (any)" }
        if bucket == 0 { return "\(column) <\(edges[0])" }
        if bucket == edges.count { return "\(column) >=\(edges[bucket - 1])" }
        return "\(column) \(edges[bucket - 1])..<\(edges[bucket])"
    }
}
