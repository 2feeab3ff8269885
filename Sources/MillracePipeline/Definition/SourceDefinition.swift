public import MillraceFeatures

/// A file whose lines go to a topic.
public struct SourceDefinition: Sendable, Equatable {
    /// Where the names of the columns come from.
    public enum Header: Sendable, Equatable {
        /// The first line of the file: the names of CSV, or the members of a JSON object, which is a
        /// row as well. Lines have one column, called "line".
        case firstLine
        /// The definition; the first line is a row.
        case columns([String])
    }

    /// The file as it was written in the definition.
    public var file: String
    /// The file to open: `file`, resolved against the directory of the pipeline file.
    public var path: String
    /// How the file is written.
    public var format: TextFormat
    /// Where the names of its columns come from.
    public var header: Header
    /// The byte topic that receives the lines.
    public var to: Reference
    /// What happens to a line that cannot be read.
    public var badRows: BadRowPolicy
    /// The longest line in bytes; a longer one is bad and is never held in memory.
    public var maxLineBytes: Int
    /// Where it was declared; nil in a definition built in code.
    public var position: SourcePosition?

    /// The longest line in bytes where a definition does not say.
    public static let defaultMaxLineBytes = 1 << 20

    /// Creates a definition.
    public init(
        file: String, path: String? = nil, format: TextFormat = .csv, header: Header = .firstLine,
        to: Reference, badRows: BadRowPolicy = .skip, maxLineBytes: Int = Self.defaultMaxLineBytes,
        position: SourcePosition? = nil
    ) {
        self.file = file
        self.path = path ?? file
        self.format = format
        self.header = header
        self.to = to
        self.badRows = badRows
        self.maxLineBytes = maxLineBytes
        self.position = position
    }

    /// Whether the first line names the columns and is no row.
    var hasHeaderLine: Bool { format == .csv && header == .firstLine }

    /// Whether two sources read alike, wherever they were declared.
    public static func == (left: Self, right: Self) -> Bool {
        left.file == right.file && left.path == right.path && left.format == right.format
            && left.header == right.header && left.to == right.to
            && left.badRows == right.badRows && left.maxLineBytes == right.maxLineBytes
    }
}
