/// The table of figures that all records have, from which `compare/all` takes its summary.
public enum FigureTable {
    /// Its first two lines.
    public static let head = """
        | Figure | Beside | Asked | Ratio | Ours | Beside | Dropped | Limit | At the limit |
        | --- | --- | --- | --- | --- | --- | --- | --- | --- |
        """

    /// A line.
    ///
    /// - Parameters:
    ///   - name: What is measured.
    ///   - beside: What it is compared with.
    ///   - asked: What the ratio should be.
    ///   - ratio: Of each sample, in the direction that `asked` is meant.
    ///   - ours: Our value, with its unit.
    ///   - other: The value of what it is compared with.
    ///   - dropped: Samples that were dropped because the processor was slow.
    ///   - limit: What keeps the figure from being better.
    ///   - bound: Of each sample, what the ratio would be of one that reaches the limit and does nothing
    ///     else; nil where that is not measured.
    public static func line(
        _ name: String, beside: String, _ asked: Figure.Asked, _ ratio: Spread, ours: String,
        other: String, dropped: Int, limit: String, bound: Spread? = nil
    ) -> String {
        let columns = [
            name, beside, "\(asked)", asked.judge(ratio), ours, other, "\(dropped)", limit,
            bound.map { "\($0)" } ?? "-",
        ]
        return "| " + columns.joined(separator: " | ") + " |"
    }
}
