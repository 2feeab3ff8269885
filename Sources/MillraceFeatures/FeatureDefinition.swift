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
        /// A number: one feature, or two where the number is cyclic. Missing stays NaN.
        case number(NumberEncoding)
        /// One feature for each known value, then *rare or unseen*, then *missing*: exactly one is 1.
        case oneHot(Vocabulary)
        /// `buckets` features, of which the one that the text hashes to is 1. Missing: all are 0.
        case hash(buckets: Int)
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

/// How a number is read, and what its model is asked to do with it.
public struct NumberEncoding: Sendable, Equatable {
    /// How the text is read.
    public var format: NumberFormat
    /// How the model normalises the feature; the feature itself keeps its unit.
    public var scale: Scale?
    /// What the model puts in the place of a missing value; without it the feature stays NaN there.
    public var impute: Impute?
    /// The number's period: the features are then `sin` and `cos` of `2π · number / period`.
    public var period: Double?

    /// A plain number that is neither scaled nor imputed unless asked.
    public init(
        format: NumberFormat = .plain, scale: Scale? = nil, impute: Impute? = nil,
        period: Double? = nil
    ) {
        self.format = format
        self.scale = scale
        self.impute = impute
        self.period = period
    }
}

/// How a number's text is read.
public enum NumberFormat: String, Sendable, Equatable {
    /// A decimal number, as `NumberParser` takes it.
    case plain
    /// A time of day as `hmm` or `hhmm` (`5`, `515`, `2359`), read as minutes since midnight.
    /// `2400` is the end of the day, 1440 minutes, as in ISO 8601; minutes above 59 are refused.
    case hhmm
}

/// How a model normalises a feature; the statistics are the trainer's.
public enum Scale: String, Sendable, Equatable {
    /// To mean 0 and standard deviation 1.
    case standard
}

/// What a model puts in the place of a missing number.
public enum Impute: Sendable, Equatable {
    /// The mean of the values that the trainer has seen.
    case mean
    /// This number, in the feature's unit.
    case constant(Double)
}
