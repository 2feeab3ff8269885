/// What a preprocess stage is asked to do, before anything has been fitted.
public struct PreprocessDefinition: Sendable, Equatable {
    /// The features, in order.
    public var features: [FeatureDefinition]
    /// How labels are made; nil where rows have none.
    public var label: LabelRule?
    /// Where rows go: the first route whose condition holds; nil takes all that are left.
    public var routes: [Condition?]
    /// How many rows, from the first, the fit pass may look at.
    public var fitRows: Int
    /// What a malformed row means.
    public var onBadRow: BadRowPolicy
    /// The texts that mean that a value is missing.
    public var missingValues: [String]

    /// Defines a stage; by default all rows go one way and an empty field is a missing value.
    public init(
        features: [FeatureDefinition], label: LabelRule? = nil, routes: [Condition?] = [nil],
        fitRows: Int = 100_000, onBadRow: BadRowPolicy = .skip, missingValues: [String] = [""]
    ) {
        self.features = features
        self.label = label
        self.routes = routes
        self.fitRows = fitRows
        self.onBadRow = onBadRow
        self.missingValues = missingValues
    }
}

extension PreprocessDefinition {
    /// The names and patterns of all columns that it asks for, in the order of their first use.
    package var columnNames: [String] {
        var names: [String] = []
        for feature in features {
            names.append(feature.column)
            if case .cross(let others, _) = feature.encoding { names += others }
        }
        if let label { names.append(label.column) }
        for case .column(let column, _)? in routes { names.append(column) }
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }
}

/// What a stage does with a row that it cannot read.
public enum BadRowPolicy: String, Sendable, Equatable {
    /// Drops the row, counts it and records the drop.
    case skip
    /// Stops the stage.
    case fail
}
