/// What a reader does when retention has removed the rows that it would read next.
///
/// Kafka's `auto.offset.reset`.
public enum OutOfRangePolicy: String, Sendable, Codable {
    /// Throw `offsetOutOfRange`, which says how many rows are lost.
    case error
    /// Go on with the first row that is left.
    case earliest
    /// Go on behind the last row.
    case latest
}
