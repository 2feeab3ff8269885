/// What keeps weights small and steps short; biases are free of penalties.
public struct Regularization: Sendable, Codable, Equatable {
    /// The weight of the sum of the weights' magnitudes in the loss.
    ///
    /// FTRL and SGD on single rows make weights exactly zero by it; the other optimisers follow the
    /// slope of the penalty and come only near.
    public var l1: Double
    /// The weight of half the sum of squared weights in the loss.
    public var l2: Double
    /// The largest Euclidean length of a step's whole gradient; longer ones are shortened to it.
    ///
    /// Penalties come after it, as in PyTorch.
    public var clipNorm: Double?
    /// The largest magnitude of a gradient's elements; of single rows, of the slope of the loss by
    /// the prediction.
    public var clipValue: Double?

    /// Penalties and limits; none unless given.
    public init(
        l1: Double = 0, l2: Double = 0, clipNorm: Double? = nil, clipValue: Double? = nil
    ) {
        self.l1 = l1
        self.l2 = l2
        self.clipNorm = clipNorm
        self.clipValue = clipValue
    }

    func check() throws(ModelError) {
        for (name, value) in [("l1", l1), ("l2", l2)] where !(value.isFinite && value >= 0) {
            throw ModelError(.invalidOption, "an \(name) of \(value): it must be 0 or above")
        }
        for limit in [clipNorm, clipValue] {
            if let limit, !(limit.isFinite && limit > 0) {
                throw ModelError(
                    .invalidOption, "gradients clipped at \(limit), which must be above 0")
            }
        }
    }
}
