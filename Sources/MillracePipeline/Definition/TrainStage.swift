public import MillraceCompute
public import MillraceModels

/// Labelled rows of a feature topic train a model.
public struct TrainStage: Sendable, Equatable {
    /// The labelled feature topic to read.
    public var from: Reference
    /// The partitions to learn from, by their numbers; nil for all.
    public var partitions: [Int]?
    /// How the trainer learns one model together with others; nil where it learns by itself.
    public var exchange: ModelExchange?
    /// The name under which versions are published.
    public var model: String
    /// What is learnt.
    public var learner: LearnerDefinition
    /// What a wrong prediction costs; nil for what goes with the objective.
    public var loss: Loss?
    /// What the loss of a row of each class is multiplied by; empty for 1 each.
    public var classWeights: [Double] = []
    /// How weights follow from gradients.
    public var optimizer: Optimizer
    /// How the rate changes with time.
    public var schedule: LearningRateSchedule
    /// Over how many first steps the rate grows linearly to its full size.
    public var warmUpSteps = 0
    /// What keeps weights small and steps short.
    public var regularization: Regularization
    /// Whether a step is made of a mini-batch or of one row.
    public var mode = UpdateMode.miniBatch
    /// How partitions that are read at once learn one model.
    public var synchronization = Synchronization.reduce
    /// Rows in a mini-batch, of all partitions together.
    public var batchRows: Int
    /// How often the topic is read from begin to end.
    public var epochs: Int
    /// What all random numbers come from.
    public var seed: UInt64
    /// Rows that are not learnt from but predicted, to judge the model; nil for none.
    public var holdOut: HoldOut?
    /// How much worse than the current version, by held-out loss, a new one may be.
    public var gate = PublishGate()
    /// When the stream counts as changed; nil when nobody is to look.
    public var drift: DriftDetection?
    /// Rows between two published versions; nil publishes at the end only.
    public var publishEveryRows: Int?
    /// How many of the newest versions stay when one is published, apart from those that an alias
    /// names or somebody uses; nil keeps all.
    public var keepVersions: Int?
    /// Rows between two checkpoints; nil leaves it to the runner.
    public var checkpointEveryRows: Int?

    /// The kernels to compute with, which decide the last bits; nil is the best that the processor
    /// has.
    public var kernels: KernelSet?

    /// Rows in a mini-batch where a definition does not say.
    public static let defaultBatchRows = 256

    /// Creates a stage.
    public init(
        from: Reference, model: String, learner: LearnerDefinition,
        optimizer: Optimizer = .adam(), schedule: LearningRateSchedule = .constant,
        batchRows: Int = Self.defaultBatchRows, epochs: Int = 1, seed: UInt64 = 1,
        regularization: Regularization = Regularization(), publishEveryRows: Int? = nil,
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
        self.regularization = regularization
        self.publishEveryRows = publishEveryRows
        self.checkpointEveryRows = checkpointEveryRows
    }
}

/// Rows that a trainer predicts and never learns from; a pure function of their offsets.
public enum HoldOut: Sendable, Equatable, Codable {
    /// The last of every so many rows of each partition, by offset.
    case every(rows: Int)
    /// These offsets of each partition.
    case offsets(ClosedRange<UInt64>)

    /// Whether the row at an offset is held out.
    func contains(_ offset: UInt64) -> Bool {
        switch self {
        case .every(let rows): offset % UInt64(rows) == UInt64(rows) - 1
        case .offsets(let range): range.contains(offset)
        }
    }
}

/// What a new version must stand up to before it is published.
///
/// Its weights must be finite and its predictions of golden rows those of its definition; and on
/// the last held-out rows its loss may not be above that of the current version by more than the
/// margin.
public struct PublishGate: Sendable, Equatable, Codable {
    /// The part of the current version's loss that a new one's may be higher.
    public var margin: Double
    /// How many of the last held-out rows both are judged by.
    public var rows: Int

    /// Rows that are needed for a judgement.
    public static let minRows = 100

    /// Creates a gate.
    public init(margin: Double = 0.05, rows: Int = 2000) {
        self.margin = margin
        self.rows = rows
    }
}

/// When the stream counts as changed.
public struct DriftDetection: Sendable, Equatable, Codable {
    /// By how much the mean loss of steps may rise unnoticed.
    public var tolerance: Double
    /// How far the loss must have risen, summed up over steps, for an alarm.
    public var threshold: Double
    /// By how many standard deviations the mean of a feature must have moved for an alarm.
    public var shift: Double

    /// Creates a detection.
    public init(tolerance: Double = 0.005, threshold: Double = 5, shift: Double = 1) {
        self.tolerance = tolerance
        self.threshold = threshold
        self.shift = shift
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
