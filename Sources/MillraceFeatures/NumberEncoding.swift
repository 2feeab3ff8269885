/// How a number is read, and what is done with it before a model sees it.
///
/// In this order: the text is read by `format`, the number clipped, its logarithm taken, and, with
/// `scale: minMax`, brought between 0 and 1; this is the feature. Or, with a `period`, the sine and the
/// cosine are. All of it is computed in double and rounded once, to float32. What the model does,
/// standardise and impute, it does as it reads the feature.
public struct NumberEncoding: Sendable, Equatable {
    /// How the text is read.
    public var format: NumberFormat
    /// The bounds to which numbers outside them are moved.
    public var clip: ClosedRange<Double>?
    /// Whether the feature is the natural logarithm of 1 plus the number; one of -1 or below, after
    /// clipping, is a reason to reject the row.
    public var log1p: Bool
    /// How the feature is scaled.
    public var scale: Scale?
    /// What the model puts in the place of a missing value, in the feature's unit; without it the
    /// feature stays NaN there.
    public var impute: Impute?
    /// Whether one more feature follows, 1 where the value is missing, else 0.
    public var indicator: Bool
    /// The number's period: the features are then `sin` and `cos` of `2π · number / period`.
    public var period: Double?

    /// A plain number with which nothing is done unless asked.
    public init(
        format: NumberFormat = .plain, clip: ClosedRange<Double>? = nil, log1p: Bool = false,
        scale: Scale? = nil, impute: Impute? = nil, indicator: Bool = false,
        period: Double? = nil
    ) {
        self.format = format
        self.clip = clip
        self.log1p = log1p
        self.scale = scale
        self.impute = impute
        self.indicator = indicator
        self.period = period
    }

    /// How many features the number becomes.
    public var width: Int { (period == nil ? 1 : 2) + (indicator ? 1 : 0) }

    /// Whether the feature is the number as its text says it.
    var isPlain: Bool { format == .plain && isUnchanged }

    /// Whether the feature is the number that the text says, alone.
    var isUnchanged: Bool {
        guard clip == nil, !log1p, period == nil else { return false }
        if case .minMax = scale { return false }
        return true
    }
}

/// How a feature is scaled.
public enum Scale: Sendable, Equatable {
    /// To mean 0 and standard deviation 1, by the model; the statistics are the trainer's.
    case standard
    /// The lower bound becomes 0 and the upper 1, others in proportion, those outside too; where the
    /// bounds are equal, the lower is subtracted. Nil is for the fit pass to find out, from the least
    /// and the greatest number that it sees; where it sees none the feature stays as it is.
    case minMax(ClosedRange<Double>?)
}

/// What a model puts in the place of a missing number.
public enum Impute: Sendable, Equatable {
    /// The mean of the values that the trainer has seen.
    case mean
    /// This number, in the feature's unit.
    case constant(Double)
}
