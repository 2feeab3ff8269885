/// How a pipeline is run.
public struct RunOptions: Sendable, Equatable {
    /// The data directory, made when it is not there.
    public var data: String
    /// The directory of the model repository.
    public var models: String
    /// The stages to run, by name; nil for all of them and the sources.
    public var stages: [String]?
    /// The cores of every stage that does not name its own; nil for one slot on each physical core.
    public var cores: [Int]?
    /// Whether stages may run on cores that groups of other processes use; those of one run always
    /// share theirs.
    public var sharesCores: Bool
    /// A name under which the groups' members come back after a restart; nil for none.
    ///
    /// Within half a minute nothing changes hands then. `[a-zA-Z0-9._-]`, another for each process.
    /// Trainers, whose partitions nobody else takes, need none.
    public var instance: String?
    /// Whether to go on when everything has been read, until the run is stopped.
    public var follow: Bool

    /// Options of a run; `models` defaults to `data/models`.
    public init(
        data: String, models: String? = nil, stages: [String]? = nil, cores: [Int]? = nil,
        sharesCores: Bool = false, instance: String? = nil, follow: Bool = false
    ) {
        self.data = data
        self.models = models ?? data + "/models"
        self.stages = stages
        self.cores = cores
        self.sharesCores = sharesCores
        self.instance = instance
        self.follow = follow
    }
}
