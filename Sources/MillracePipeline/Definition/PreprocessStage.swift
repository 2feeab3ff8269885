public import MillraceFeatures

/// Rows of a byte topic become rows of one or more feature topics.
public struct PreprocessStage: Sendable, Equatable {
    /// The byte topic to read.
    public var from: Reference
    /// The feature topics to write; as many as `definition.routes`, in the same order.
    public var to: [Reference]
    /// What the features and the label are, and which rows go where.
    public var definition: PreprocessDefinition
    /// What the rows are, where nothing that wrote them has told their topic; nil otherwise.
    public var rows: RowSchema?

    /// Creates a stage; `to` and `definition.routes` belong together.
    public init(
        from: Reference, to: [Reference], definition: PreprocessDefinition,
        rows: RowSchema? = nil
    ) {
        precondition(to.count == definition.routes.count, "one route for each topic")
        self.from = from
        self.to = to
        self.definition = definition
        self.rows = rows
    }
}
