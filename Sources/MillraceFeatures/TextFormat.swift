/// How a row of text is written.
public enum TextFormat: String, Sendable, CaseIterable {
    /// Fields between commas, as `CSVFields` splits them; columns are told by their place.
    case csv
    /// One JSON object a row (JSON Lines); columns are told by the members' names.
    ///
    /// A member that is not there and one that is `null` are missing values, other members are
    /// passed over, and of two with one name the last counts. A string is the text that it says, a
    /// number the text that is written; `true` and `false` are those words. An object or an array in
    /// the place of a value that is needed is a reason to reject the row.
    case jsonl
    /// The whole line is the value of the only column.
    case lines
}
