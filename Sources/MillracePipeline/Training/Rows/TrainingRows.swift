/// What a trainer learns from: the partitions of a topic of labelled features.
///
/// **Thread-safety**: any thread.
protocol TrainingRows: Sendable {
    /// The topic's name.
    var name: String { get }
    /// What tells the topic from others, whatever they are called.
    var identity: UInt64 { get }
    var partitions: Int { get }
    /// How many features a row has.
    var features: Int { get }

    /// The rows of a partition from a position on; from 0 on, those that are there.
    func reader(of partition: Int, from position: UInt64) throws -> any RowReader

    /// How many bits of a position are the place of the row in a record, below the offset.
    var placeBits: Int { get }

    /// The number that the topic knows a partition by.
    func number(of partition: Int) -> Int
}

extension TrainingRows {
    var placeBits: Int { 0 }

    func number(of partition: Int) -> Int { partition }

    /// The offset of the topic that a position is of, as people and groups know it.
    func offset(of position: UInt64) -> UInt64 { position >> UInt64(placeBits) }
}

/// The rows of one partition in their order, which never changes.
///
/// A row has a position, which grows from row to row. **Thread-safety**: one owner.
protocol RowReader: AnyObject {
    /// The position of the first row that comes, or one before it.
    var start: UInt64 { get }

    /// Whether nothing was left to read at the last look, and not only not here yet.
    var isAtEnd: Bool { get }

    /// Reads the next rows before `end`, and says where they are; rows that were lent are not any
    /// more.
    func read(before end: UInt64?, into rows: inout RowStore) throws -> ReadRows

    /// Calls a body with lent rows at these positions.
    func withLent(_ positions: Range<UInt64>, _ body: (borrowing RowView) -> Void)

    /// The position behind the last row that is there.
    func publishedEnd() throws -> UInt64
}

/// Where the rows are that a reader has read.
enum ReadRows {
    /// There are none at the moment.
    case none
    /// In the store, if any were wanted.
    case stored
    /// With the reader, at positions without gaps, until it reads again.
    case lent(Range<UInt64>)
}
