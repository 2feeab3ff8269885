/// A table of texts under named columns.
public struct Table: Sendable, Equatable {
    /// Where the texts of a column stand.
    public enum Alignment: String, Sendable, CaseIterable {
        /// At the left, for words.
        case leading
        /// At the right with digits below digits, for numbers.
        case trailing
    }

    /// One column.
    public struct Column: Sendable, Equatable {
        /// What stands in it.
        public var name: String
        /// The unit of its numbers; empty is none.
        public var unit: String
        /// Where its texts stand.
        public var alignment: Alignment

        /// Creates a column.
        public init(_ name: String, unit: String = "", alignment: Alignment = .leading) {
            self.name = name
            self.unit = unit
            self.alignment = alignment
        }

        /// A column of numbers.
        public static func number(_ name: String, unit: String = "") -> Column {
            Column(name, unit: unit, alignment: .trailing)
        }
    }

    /// What the table shows; empty is none.
    public var caption: String
    /// The columns, from left to right.
    public var columns: [Column]
    /// The rows; missing cells are empty, and what is more than columns is left out.
    public var rows: [[String]]

    /// Creates a table.
    public init(caption: String = "", columns: [Column], rows: [[String]] = []) {
        self.caption = caption
        self.columns = columns
        self.rows = rows
    }
}
