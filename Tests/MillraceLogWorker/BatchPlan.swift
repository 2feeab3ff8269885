import MillraceSystem

/// The batches of a producer, one after the other: how many rows, and which.
///
/// They follow from the producer's number alone, so that whoever starts it again under its name
/// gives each sequence the same rows.
struct BatchPlan {
    /// Number of the batch, from 1: the sequence of a named producer.
    private(set) var sequence: UInt64 = 0
    /// Rows of the batch.
    private(set) var rows: UInt32 = 0
    /// The producer's rows before the batch.
    private(set) var first: UInt64 = 0
    private let maxRows: UInt64
    private var random: SplitMix64

    /// Stands before the first batch.
    init(producer: UInt32, maxRows: UInt64) {
        self.maxRows = maxRows
        random = SplitMix64(seed: UInt64(producer))
    }

    /// Goes to the next batch.
    mutating func advance() {
        sequence += 1
        first += UInt64(rows)
        rows = UInt32(1 + random.next() % maxRows)
    }
}
