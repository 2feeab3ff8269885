internal import MillraceFeatures
package import MillraceLog

/// What a topic of bytes says of its rows, in its dictionary.
extension Topic {
    /// The text that begins with this names the columns of the rows, a line each.
    private static let columnsPrefix = "columns:"
    /// The text that begins with this says how rows are written, where they are not CSV.
    private static let rowsPrefix = "rows:"

    /// The names of the columns of a topic of CSV lines, in order; nil where rows are something else.
    package func csvColumns() throws(LogError) -> [String]? {
        guard let schema = try rowSchema(), schema.format == .csv else { return nil }
        return schema.columns
    }

    /// What the rows are; nil where nobody has said so.
    ///
    /// What was read into the topic first has.
    func rowSchema() throws(LogError) -> RowSchema? {
        guard let names = try dictionaryTexts(behind: Self.columnsPrefix).first else { return nil }
        let format = try dictionaryTexts(behind: Self.rowsPrefix).first
        return RowSchema(
            format.flatMap(TextFormat.init) ?? .csv,
            columns: names.split(separator: "\n").map(String.init))
    }

    /// Lets the topic say what its rows are.
    func declare(_ schema: RowSchema) throws(LogError) {
        if schema.format != .csv {
            _ = try dictionaryID(of: Self.rowsPrefix + schema.format.rawValue)
        }
        _ = try dictionaryID(of: Self.columnsPrefix + schema.columns.joined(separator: "\n"))
    }
}
