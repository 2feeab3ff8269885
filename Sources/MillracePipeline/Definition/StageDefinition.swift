public import MillraceGroups

/// A consumer group with work to do.
public struct StageDefinition: Sendable, Equatable {
    /// The work of a stage.
    public enum Work: Sendable, Equatable {
        /// Turns rows of text into features.
        case preprocess(PreprocessStage)
        /// Learns a model from labelled features.
        case train(TrainStage)
        /// Turns features into predictions.
        case score(ScoreStage)
    }

    /// The stage's name.
    public var name: String
    /// What it does.
    public var work: Work
    /// The consumer group that it is; the stage's name unless the definition says otherwise.
    public var group: String
    /// The cores to run on, one slot each; nil is every core that the process may use.
    public var cores: [Int]?
    /// How partitions are shared out among the slots.
    public var assignor: Assignor
    /// In a bounded run, the stage that has to reach its end before this one starts.
    public var after: Reference?
    /// Where it was declared; nil in a definition built in code.
    public var position: SourcePosition?

    /// Creates a definition.
    public init(
        name: String, work: Work, group: String? = nil, cores: [Int]? = nil,
        assignor: Assignor = .sticky, after: Reference? = nil, position: SourcePosition? = nil
    ) {
        self.name = name
        self.work = work
        self.group = group ?? name
        self.cores = cores
        self.assignor = assignor
        self.after = after
        self.position = position
    }

    /// The topic that the stage reads.
    public var input: Reference {
        switch work {
        case .preprocess(let stage): stage.from
        case .train(let stage): stage.from
        case .score(let stage): stage.from
        }
    }

    /// Whether the stage trains the model of this name.
    func trains(_ model: String) -> Bool {
        if case .train(let stage) = work { stage.model == model } else { false }
    }

    /// The topics that the stage writes, in order.
    public var outputs: [Reference] {
        switch work {
        case .preprocess(let stage): stage.to
        case .train: []
        case .score(let stage): [stage.to]
        }
    }

    /// The word for the work in a pipeline file: `preprocess`, `train` or `score`.
    public var kind: String {
        switch work {
        case .preprocess: "preprocess"
        case .train: "train"
        case .score: "score"
        }
    }

    /// Whether two stages do the same, wherever they were declared.
    public static func == (left: Self, right: Self) -> Bool {
        left.name == right.name && left.work == right.work && left.group == right.group
            && left.cores == right.cores && left.assignor == right.assignor
            && left.after == right.after
    }
}
