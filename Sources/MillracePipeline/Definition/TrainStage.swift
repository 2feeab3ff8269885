public import MillraceModels

/// Labelled rows of a feature topic train a model.
public struct TrainStage: Sendable, Equatable {
    /// The labelled feature topic to read.
    public var from: Reference
    /// The name under which versions are published.
    public var model: String
    /// What is learnt.
    public var learner: LearnerDefinition
    /// How weights follow from gradients.
    public var optimizer: AdamDefinition
    /// How the rate changes with time.
    public var schedule: RateSchedule
    /// Rows in a mini-batch.
    public var batchRows: Int
    /// How often the topic is read from begin to end.
    public var epochs: Int
    /// What all random numbers come from.
    public var seed: UInt64
    /// The weight of the squared weights in the loss; 0 is none.
    public var l2: Double
    /// Rows between two published versions; nil publishes at the end only.
    public var publishEveryRows: Int?
    /// Rows between two checkpoints; nil leaves it to the runner.
    public var checkpointEveryRows: Int?

    /// Rows in a mini-batch where a definition does not say.
    public static let defaultBatchRows = 256

    /// Creates a stage.
    public init(
        from: Reference, model: String, learner: LearnerDefinition,
        optimizer: AdamDefinition = AdamDefinition(),
        schedule: RateSchedule = .constant, batchRows: Int = Self.defaultBatchRows,
        epochs: Int = 1, seed: UInt64 = 1, l2: Double = 0, publishEveryRows: Int? = nil,
        checkpointEveryRows: Int? = nil
    ) {
        self.from = from
        self.model = model
        self.learner = learner
        self.optimizer = optimizer
        self.schedule = schedule
        self.batchRows = batchRows
        self.epochs = epochs
        self.seed = seed
        self.l2 = l2
        self.publishEveryRows = publishEveryRows
        self.checkpointEveryRows = checkpointEveryRows
    }
}

/// The model that a train stage learns: hidden layers, if any, and an objective.
public struct LearnerDefinition: Sendable, Equatable {
    /// The sizes of the hidden layers; empty is a linear model.
    public var hidden: [Int]
    /// What hidden layers do to their sums.
    public var activation: Activation
    /// What the model is to predict.
    public var objective: Objective

    /// Creates a learner; without hidden layers a linear one.
    public init(hidden: [Int] = [], activation: Activation = .relu, objective: Objective) {
        self.hidden = hidden
        self.activation = activation
        self.objective = objective
    }
}

/// The settings of the Adam optimiser.
///
/// - Source: D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015; the
///   defaults are those of the paper but for the rate, which suits one pass over a stream.
public struct AdamDefinition: Sendable, Equatable {
    /// The step size.
    public var rate: Double
    /// The decay of the mean of gradients.
    public var beta1: Double
    /// The decay of the mean of squared gradients.
    public var beta2: Double
    /// What keeps the division from exploding.
    public var epsilon: Double

    /// Creates settings.
    public init(
        rate: Double = 0.01, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8
    ) {
        self.rate = rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
    }
}
