/// What the model does with one feature before its first layer; the statistics are the trainer's.
public struct FeaturePolicy: Sendable, Equatable {
    /// Whether the feature is brought to mean 0 and standard deviation 1.
    public var isScaled: Bool
    /// What takes the place of NaN; nil leaves it.
    public var impute: Impute?

    /// A policy; by default the feature is used as it is.
    public init(isScaled: Bool = false, impute: Impute? = nil) {
        self.isScaled = isScaled
        self.impute = impute
    }
}
