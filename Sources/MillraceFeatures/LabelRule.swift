/// How a row's label is made from one column.
public struct LabelRule: Sendable, Equatable {
    /// The column that the label is made from.
    public var column: String
    /// How its text becomes a label.
    public var rule: Rule
    /// What a missing value means.
    public var missing: Missing

    /// Makes labels from `column` by `rule`.
    public init(column: String, rule: Rule, missing: Missing = .unlabelled) {
        self.column = column
        self.rule = rule
        self.missing = missing
    }

    /// How a column's text becomes a label.
    public enum Rule: Sendable, Equatable {
        /// 1 where the test holds, else 0.
        case test(ValueTest)
        /// The number itself.
        case value
        /// The position of the value in this list. Another value is a reason to reject the row.
        case classes([String])
    }

    /// What a missing label column means.
    public enum Missing: String, Sendable, Equatable {
        /// The row has no label (NaN): it is scored, and not learnt from.
        case unlabelled
        /// The row is rejected.
        case reject
        /// The label is 0.
        case negative
    }
}
