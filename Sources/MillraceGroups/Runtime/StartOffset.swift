public import MillraceLog

/// Where a group begins in a partition for which it has committed nothing.
public enum StartOffset: Sendable, Equatable {
    /// The first row that is kept.
    case earliest
    /// What is appended from now on.
    case latest
    /// This offset; kept within what is there.
    case offset(UInt64)
    /// The first row with a timestamp of at least this many nanoseconds since 1970; the end when
    /// all are older.
    case time(Int64)

    /// The offset in a partition of `topic`.
    ///
    /// - Throws: `LogError`.
    public func resolve(in topic: Topic, partition: Int) throws(LogError) -> UInt64 {
        let start = try topic.startOffset(partition: partition)
        let end = try topic.endOffset(partition: partition)
        return switch self {
        case .earliest: start
        case .latest: end
        case .offset(let offset): min(max(offset, start), end)
        case .time(let time): try topic.offset(partition: partition, atOrAfter: time) ?? end
        }
    }
}
