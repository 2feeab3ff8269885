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

/// How many rows a step of the optimiser is made of.
public enum UpdateMode: String, Sendable, Codable, CaseIterable {
    /// One step for each mini-batch.
    case miniBatch
    /// One step for each row, for linear models.
    ///
    /// By SGD with one output the steps are those of scikit-learn's `SGDClassifier` and
    /// `SGDRegressor` without shuffling: the decay by `l2` is one factor kept in double, and `l1` is
    /// the cumulative penalty, which makes weights exactly zero.
    case sequential
}

/// How several lanes, each with rows of its own, learn one model.
public enum Synchronization: Sendable, Codable, Equatable {
    /// Every step adds up the gradients of all lanes: what is learnt is what one lane would learn
    /// from all rows.
    case reduce
    /// Each lane learns by itself, and every `everyRows` rows of all lanes together the models are
    /// averaged, each with its share of the rows ("local SGD").
    ///
    /// - Source: Stich, "Local SGD Converges Fast and Communicates Little", 2019.
    case average(everyRows: Int)
}

/// Everything that decides how a model is trained; with the rows and their order, it decides every
/// bit of the result.
public struct TrainingOptions: Sendable, Codable, Equatable {
    /// What is predicted.
    public var objective: Objective
    /// What a wrong prediction costs.
    public var loss: Loss
    /// What the loss of a row of each class is multiplied by; empty for 1 each.
    public var classWeights: [Double] = []
    /// The widths of the hidden layers; none for a linear model.
    public var hidden: [Int] = []
    /// What the hidden layers apply.
    public var activation: Activation = .relu
    /// How weights follow from gradients.
    public var optimizer: Optimizer = .adam()
    /// How the rate changes.
    public var schedule: LearningRateSchedule = .constant
    /// Over how many first steps the rate grows linearly to its full size.
    public var warmUpSteps: Int = 0
    /// What keeps weights small and steps short.
    public var regularization = Regularization()
    /// How many rows a step is made of.
    public var mode: UpdateMode = .miniBatch
    /// How several lanes learn one model.
    public var synchronization: Synchronization = .reduce
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
        loss = objective.standardLoss
        scaledFeatures = [Bool](repeating: true, count: features)
        imputation = [Imputation](repeating: .mean, count: features)
    }

    /// How many features a row has.
    public var features: Int { scaledFeatures.count }

    /// The learning rate of step `step`, counted from 0.
    public func rate(step: Int) -> Double {
        let warmUp = step < warmUpSteps ? Double(step + 1) / Double(warmUpSteps) : 1
        return optimizer.rate * warmUp * schedule.factor(step: step)
    }

    /// Whether what becomes of features depends on the rows so far, so that statistics are kept.
    var usesStatistics: Bool {
        scaledFeatures.contains(true) || imputation.contains { $0 == .mean }
    }

    /// Whether rows are learnt one by one without a gradient in between.
    var isLinearSGD: Bool {
        guard mode == .sequential, objective.outputs == 1, case .sgd = optimizer else {
            return false
        }
        return true
    }
}

extension TrainingOptions {
    /// Refuses options that cannot work.
    ///
    /// - Throws: `ModelError` with `invalidOption`.
    public func validate() throws(ModelError) {
        try checkShape()
        try loss.check()
        try optimizer.check()
        try schedule.check()
        try regularization.check()
        try require(warmUpSteps >= 0, "\(warmUpSteps) warm-up steps")
        try require(clip.map { $0.isFinite && $0 > 0 } ?? true, "the clip \(clip ?? 0)")
        for case .constant(let value) in imputation {
            try require(value.isFinite, "an imputed value of \(value)")
        }
        try require(loss.fits(objective), "the loss \(loss) for the objective \(objective)")
        try require(
            classWeights.isEmpty || classWeights.count == objective.classes,
            "\(classWeights.count) class weights for \(objective.classes) classes")
        try require(
            classWeights.allSatisfy { $0.isFinite && $0 >= 0 && Float($0).isFinite },
            "class weights \(classWeights)")
        if case .average(let rows) = synchronization {
            try require((1...1 << 40).contains(rows), "averages every \(rows) rows")
        }
        try require(mode == .miniBatch || hidden.isEmpty, "hidden layers and sequential learning")
        guard case .ftrl = optimizer else { return }
        try require(hidden.isEmpty, "hidden layers and FTRL, which is for linear models")
        try require(
            schedule == .constant && warmUpSteps == 0,
            "a schedule and FTRL, whose rate follows from the gradients")
    }

    private func checkShape() throws(ModelError) {
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
        try require((1...widest).contains(batchRows), "batches of \(batchRows) rows")
    }

    private func require(_ condition: Bool, _ what: String) throws(ModelError) {
        guard condition else {
            throw ModelError(.invalidOption, "\(what): not a possible training option")
        }
    }
}
