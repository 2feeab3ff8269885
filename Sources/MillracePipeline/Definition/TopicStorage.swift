public import MillraceLog

/// How a topic's rows are kept, beyond what they hold.
public struct TopicStorage: Sendable, Equatable {
    /// What is done to the numbers of a batch before they are compressed.
    public var filter: Filter
    /// What one step of a `uint8` or `int8` feature is worth.
    public var scale: Double
    /// The `uint8` or `int8` feature that stands for 0.
    public var zeroPoint: Int
    /// When rows are made durable without being asked.
    public var flush: FlushPolicy
    /// When old rows are removed.
    public var retention: RetentionPolicy
    /// Size in bytes at which a segment is closed: retention removes whole segments; nil for what
    /// topics have that do not say.
    public var segmentBytes: Int?
    /// Age at which a segment is closed; nil for none.
    public var segmentMilliseconds: Int?

    /// Rows as they come, made durable in the kernel's own time, kept for ever.
    public init(
        filter: Filter = .none, scale: Double = 1, zeroPoint: Int = 0, flush: FlushPolicy = .none,
        retention: RetentionPolicy = .keep, segmentBytes: Int? = nil,
        segmentMilliseconds: Int? = nil
    ) {
        self.filter = filter
        self.scale = scale
        self.zeroPoint = zeroPoint
        self.flush = flush
        self.retention = retention
        self.segmentBytes = segmentBytes
        self.segmentMilliseconds = segmentMilliseconds
    }
}
