public import MillraceCompute
public import MillraceRepository

/// Rows of a feature topic, or raw rows, become rows of a predictions topic.
public struct ScoreStage: Sendable, Equatable {
    /// The topic to read: of features, or of bytes, whose rows become features by the specification
    /// that the model was trained on.
    public var from: Reference
    /// The predictions topic to write.
    public var to: Reference
    /// The model in the repository: `m` follows the newest version, or the one rolled back to,
    /// `m@stable` follows an alias, and `m@7` is that version for every row.
    public var model: ModelReference
    /// The kernels to compute with; nil is the best that the processor has.
    public var kernels: KernelSet?
    /// The arithmetic of the model's layers; versions that were not calibrated for another than
    /// float32 are refused.
    public var precision: Precision

    /// Creates a stage.
    public init(
        from: Reference, to: Reference, model: ModelReference, kernels: KernelSet? = nil,
        precision: Precision = .float32
    ) {
        self.from = from
        self.to = to
        self.model = model
        self.kernels = kernels
        self.precision = precision
    }
}
