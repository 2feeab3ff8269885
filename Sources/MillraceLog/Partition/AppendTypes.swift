/// What an append waits for.
public enum Acknowledgement: String, Sendable, Codable {
    /// The rows are published: they survive the death of any process, and readers see them.
    case appended
    /// The rows are on the disk as well: they survive a loss of power.
    case durable
}

/// How a writer puts batches into the segment.
public enum AppendMode: String, Sendable, Codable {
    /// By `pwrite`: works on every file system.
    case write
    /// By storing into a mapping whose pages are made ahead: no system call a batch.
    ///
    /// For latency. Where space cannot be reserved ahead (a file system without `fallocate`, so
    /// that a full disk would be a fault) batches are written by `pwrite` all the same. Not for
    /// file systems that copy on write, where reserved space is no promise.
    case mapped
}

/// What became of an append.
public struct AppendReceipt: Sendable, Equatable {
    /// Offset of the first row.
    ///
    /// Nil for a duplicate that is not the producer's last batch, or of which retention has left no
    /// rows.
    public let baseOffset: UInt64?
    /// The sequence had been appended before: nothing was appended now.
    public let isDuplicate: Bool
}
