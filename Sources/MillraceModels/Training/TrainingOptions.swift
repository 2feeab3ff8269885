/// What a model learns to predict, and so its loss and its head.
public enum Objective: Sendable, Codable, Equatable {
    /// A number, by half the squared error.
    case regression
    /// The probability of label 1 against label 0, by the log-loss.
    case logistic
    /// The probabilities of the labels 0 to `classes - 1`, by the log-loss.
    case softmax(classes: Int)

    /// How many outputs the last layer has.
    public var outputs: Int { if case .softmax(let classes) = self { classes } else { 1 } }

    /// How many classes there are; 0 for a regression.
    public var classes: Int {
        switch self {
        case .regression: 0
        case .logistic: 2
        case .softmax(let classes): classes
        }
    }

    /// The head of the models that come of it.
    public var head: Head {
        switch self {
        case .regression: .identity
        case .logistic: .sigmoid
        case .softmax: .softmax
        }
    }
}

/// What stands for a missing feature.
public enum Imputation: Sendable, Codable, Equatable {
    /// The mean of those that were there.
    case mean
    /// Always the same, in the feature's unit.
    case constant(Float)
}

/// Everything that decides how a model is trained; with the rows and their order, it decides every
/// bit of the result.
public struct TrainingOptions: Sendable, Codable, Equatable {
    /// What is predicted.
    public var objective: Objective
    /// The widths of the hidden layers; none for a linear model.
    public var hidden: [Int] = []
    /// What the hidden layers apply.
    public var activation: Activation = .relu
    /// Adam's step size.
    public var rate: Double = 0.01
    /// How the rate changes.
    public var schedule: RateSchedule = .constant
    /// Over how many first steps the rate grows linearly to its full size.
    public var warmUpSteps: Int = 0
    /// Adam's decay of the mean gradient.
    public var beta1: Double = 0.9
    /// Adam's decay of the mean squared gradient.
    public var beta2: Double = 0.999
    /// What Adam adds to the root of the mean squared gradient.
    public var epsilon: Double = 1e-8
    /// The weight of half the sum of squared weights in the loss; biases are free.
    public var l2: Double = 0
    /// What the first weights of a multi-layer perceptron are drawn from.
    public var seed: UInt64 = 1
    /// How many rows the caller gives at once; more and fewer are accepted.
    public var batchRows: Int = 256
    /// Which features are standardised by the mean and deviation so far, one for each feature.
    public var scaledFeatures: [Bool]
    /// What stands for missing features, one for each feature.
    public var imputation: [Imputation]
    /// How many standard deviations from the mean count at most; nil for any number.
    public var clip: Double? = 8

    /// Options for `features` features, all of them standardised and imputed by their mean.
    public init(_ objective: Objective, features: Int) {
        self.objective = objective
        scaledFeatures = [Bool](repeating: true, count: features)
        imputation = [Imputation](repeating: .mean, count: features)
    }

    /// How many features a row has.
    public var features: Int { scaledFeatures.count }

    /// Refuses options that cannot work.
    ///
    /// - Throws: `ModelError` with `invalidOption`.
    public func validate() throws(ModelError) {
        let widest = 1 << 20
        try require(
            (1...widest).contains(features) && imputation.count == features,
            "\(features) features with \(imputation.count) imputations")
        try require(
            hidden.count <= 64 && hidden.allSatisfy { (1...widest).contains($0) },
            "hidden layers \(hidden): at most 64, of 1 to \(widest)")
        if case .softmax(let classes) = objective {
            try require((2...widest).contains(classes), "a softmax over \(classes) classes")
        }
        let widths = [features] + hidden + [objective.outputs]
        let weights = zip(widths, widths.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
        try require(weights <= 1 << 28, "\(weights) weights, more than 2^28")
        try require(rate.isFinite && rate > 0 && rate <= 1000, "the rate \(rate)")
        try require(warmUpSteps >= 0, "\(warmUpSteps) warm-up steps")
        try require((schedule.length ?? 1) > 0, "a schedule of \(schedule.length ?? 0) steps")
        try require((0..<1).contains(beta1) && (0..<1).contains(beta2), "betas \(beta1), \(beta2)")
        try require(epsilon.isFinite && Float(epsilon) > 0, "the epsilon \(epsilon)")
        try require(l2.isFinite && l2 >= 0, "the l2 \(l2)")
        try require((1...widest).contains(batchRows), "batches of \(batchRows) rows")
        try require(clip.map { $0.isFinite && $0 > 0 } ?? true, "the clip \(clip ?? 0)")
        for case .constant(let value) in imputation {
            try require(value.isFinite, "an imputed value of \(value)")
        }
    }

    private func require(_ condition: Bool, _ what: String) throws(ModelError) {
        guard condition else {
            throw ModelError(.invalidOption, "\(what): not a possible training option")
        }
    }

    /// The options as bytes; equal options and no others have the same.
    func encode(into writer: inout ByteWriter) {
        switch objective {
        case .regression: writer.append(0)
        case .logistic: writer.append(1)
        case .softmax(let classes): writer.append([2, UInt64(classes)])
        }
        writer.append([UInt64(hidden.count)] + hidden.map(UInt64.init))
        writer.append(UInt64(Activation.allCases.firstIndex(of: activation) ?? 0))
        switch schedule {
        case .constant: writer.append(0)
        case .cosine(let steps): writer.append([1, UInt64(steps)])
        case .inverseSquareRoot(let steps): writer.append([2, UInt64(steps)])
        }
        writer.append([UInt64(warmUpSteps), seed, UInt64(batchRows), UInt64(features)])
        writer.append([rate, beta1, beta2, epsilon, l2, clip ?? .infinity])
        for (scaled, imputed) in zip(scaledFeatures, imputation) {
            switch imputed {
            case .mean: writer.append(scaled ? 1 : 0)
            case .constant(let value): writer.append([scaled ? 3 : 2, UInt64(value.bitPattern)])
            }
        }
    }
}
