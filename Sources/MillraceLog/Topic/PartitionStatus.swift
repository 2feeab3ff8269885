internal import MillraceSystem

/// A partition at one moment.
public struct PartitionStatus: Sendable, Codable, Equatable {
    /// Its number.
    public let partition: Int
    /// Offset of the first row that retention has left.
    public let startOffset: UInt64
    /// Offset that the next row gets.
    public let endOffset: UInt64
    /// Bumped when a writer takes over from one that died or hangs, and after a machine crash.
    public let epoch: UInt64
    /// Segments that hold the log.
    public let segments: Int
    /// Bytes of batches.
    public let bytes: UInt64
    /// Bytes of batches that are not known to be on the disk yet: the durable lag.
    public let unsyncedBytes: UInt64
    /// Whether a sync failed: nothing more is accepted.
    public let isPoisoned: Bool
}

extension Topic {
    /// How a partition stands.
    ///
    /// - Throws: `LogError` with code `notFound` or `corrupt`.
    /// - Complexity: O(segments).
    public func status(partition: Int) throws(LogError) -> PartitionStatus {
        let startOffset = try startOffset(partition: partition)
        let files = try files(partition)
        let control = try files.openControl(writable: false)
        // What grows last is read first.
        let durable = try control.durablePosition()
        let start = try control.startPosition()
        let published = try control.publishedValue()
        return PartitionStatus(
            partition: partition, startOffset: startOffset,
            endOffset: try control.endOffsetValue(), epoch: published.epoch,
            segments: try files.segments(control).entries.count,
            bytes: published.position - min(start, published.position),
            unsyncedBytes: published.position - min(durable, published.position),
            isPoisoned: try control.stateValue() == .poisoned)
    }
}
