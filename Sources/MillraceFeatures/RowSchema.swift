/// What the rows of a topic or file are: how they are written, and what their columns are called.
public struct RowSchema: Sendable, Equatable {
    /// How a row is written.
    public let format: TextFormat
    /// The names of the columns, in the order of CSV; none is empty, none occurs twice.
    public let columns: [String]

    /// The name of the one column of `lines` where nobody has given it another.
    public static let lineColumn = "line"

    /// Takes what is given as it is; `FeatureSpecification` and `SpecificationFitter` check it.
    public init(_ format: TextFormat = .csv, columns: [String]) {
        self.format = format
        self.columns = columns
    }
}

extension RowSchema {
    /// Where each column stands; of columns of one name the first.
    ///
    /// - Complexity: O(columns).
    var positions: [String: Int] {
        Dictionary(zip(columns, columns.indices), uniquingKeysWith: { first, _ in first })
    }

    /// The format and the columns as people read them.
    package var text: String {
        "\(format.rawValue) with the columns " + columns.prefix(40).joined(separator: ", ")
            + (columns.count > 40 ? ", ..." : "")
    }
}
