internal import MillraceKafka

/// Where a preprocess stage writes the features of one source partition.
///
/// A lane knows which source rows have their outcome, and leaves those out: a restart from the lane
/// that is furthest behind adds nothing twice to the others.
protocol FeatureLane: AnyObject {
    /// Begins with source rows from `offset` on.
    func begin(at offset: UInt64)

    /// Adds the features of a source row.
    func add(_ row: Span<Float>, label: Float, _ origin: borrowing RowOrigin) throws

    /// Records that source row `offset` has no output.
    func drop(offset: UInt64, reason: UInt32)

    /// Writes what was added since `begin`, and that every row before `end` has its outcome.
    func finish(at end: UInt64, epoch: UInt32) throws

    /// Makes what was written durable and lets go of the partition.
    func close() throws
}

/// Where a row came from, and what it has beside its text.
struct RowOrigin: ~Escapable {
    let offset: UInt64
    /// Its key; nil for none.
    let key: Span<UInt8>?
    /// Nanoseconds since 1970.
    let timestamp: Int64

    @_lifetime(copy key)
    init(offset: UInt64, key: Span<UInt8>?, timestamp: Int64) {
        self.offset = offset
        self.key = key
        self.timestamp = timestamp
    }
}
