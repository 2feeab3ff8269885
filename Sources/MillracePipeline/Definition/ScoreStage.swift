public import MillraceCompute

/// Rows of a feature topic become rows of a predictions topic.
public struct ScoreStage: Sendable, Equatable {
    /// The feature topic to read.
    public var from: Reference
    /// The predictions topic to write.
    public var to: Reference
    /// The model's name in the repository.
    public var model: String
    /// The version to use for every row; nil follows the newest.
    public var version: Int?
    /// The kernels to compute with; nil is the best that the processor has.
    public var kernels: KernelSet?

    /// Creates a stage.
    public init(
        from: Reference, to: Reference, model: String, version: Int? = nil,
        kernels: KernelSet? = nil
    ) {
        self.from = from
        self.to = to
        self.model = model
        self.version = version
        self.kernels = kernels
    }
}
