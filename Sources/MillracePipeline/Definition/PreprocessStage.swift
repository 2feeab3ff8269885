public import MillraceFeatures
internal import MillraceKafka
public import MillraceRepository

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
    /// The model whose features are made, instead of those of `definition`; nil for none.
    ///
    /// It has to be there, and to have been trained behind a preprocess stage.
    public var model: ModelReference?

    /// Creates a stage; `to` and `definition.routes` belong together.
    public init(
        from: Reference, to: [Reference], definition: PreprocessDefinition,
        rows: RowSchema? = nil, model: ModelReference? = nil
    ) {
        precondition(to.count == definition.routes.count, "one route for each topic")
        self.from = from
        self.to = to
        self.definition = definition
        self.rows = rows
        self.model = model
    }

    /// What the records of a Kafka topic are; nil where their columns are not known.
    ///
    /// `kept` is the specification of the model whose features are made.
    func schema(
        of topic: KafkaTopicDefinition, _ kept: FeatureSpecification? = nil
    ) -> RowSchema? {
        switch topic.rowFormat {
        case .csv: return (topic.columns ?? kept?.columns).map { RowSchema(.csv, columns: $0) }
        case .json:
            let names = topic.columns ?? kept?.columns
            if let names {
                let more = definition.columnNames.filter { !names.contains($0) }
                return RowSchema(.jsonl, columns: topic.columns == nil ? names + more : names)
            }
            let needed = definition.columnNames
            let isOpen = needed.isEmpty || needed.contains { $0.contains("*") }
            return isOpen ? nil : RowSchema(.jsonl, columns: needed)
        case .float32, .block: return nil
        }
    }
}
