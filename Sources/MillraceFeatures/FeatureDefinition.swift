/// What a user asks for: how one column, or all columns that a pattern matches, become features.
public struct FeatureDefinition: Sendable, Equatable {
    /// A column's name, or a pattern in which `*` stands for any run of characters (`p*`).
    ///
    /// A pattern takes the matching columns in the header's order, and leaves out the label's.
    public var column: String
    /// How the column's text becomes numbers.
    public var encoding: Encoding

    /// Asks for `encoding` of the column, or columns, called `column`.
    public init(column: String, encoding: Encoding) {
        self.column = column
        self.encoding = encoding
    }

    /// How a column's text becomes numbers.
    public enum Encoding: Sendable, Equatable {
        /// A number: one feature, or two where the number is cyclic, and one more for an indicator.
        /// Missing stays NaN.
        case number(NumberEncoding)
        /// One feature for each known value, then *rare or unseen*, then *missing*: exactly one is 1.
        case oneHot(Vocabulary)
        /// `buckets` features, of which the one that the text hashes to is 1. Missing: all are 0.
        case hash(buckets: Int)
        /// `buckets` features, of which the one is 1 that the texts of this column and of those
        /// after it hash to together. Any of them missing: all are 0.
        case cross(with: [String], buckets: Int)
        /// A number: one feature for each interval between edges, then *missing*: exactly one is 1.
        case bucketize(Edges)
    }

    /// The values that a one-hot encoding tells apart.
    public enum Vocabulary: Sendable, Equatable {
        /// The `limit` most frequent values of the fit pass, ties in the order of their UTF-8 bytes.
        case auto(limit: Int)
        /// These values, in this order.
        case listed([String])
    }

    /// The edges between the intervals of a bucketized number.
    ///
    /// An edge belongs to the interval above.
    public enum Edges: Sendable, Equatable {
        /// Edges that cut the values of the fit pass into `count` parts of about the same size.
        case auto(count: Int)
        /// These edges, rising; one more interval than edges.
        case listed([Double])
    }
}
