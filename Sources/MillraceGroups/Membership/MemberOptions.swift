internal import MillraceSystem

/// How a member of a group behaves and is judged by the others.
public struct MemberOptions: Sendable, Equatable {
    /// A name under which the member may come back, as Kafka's `group.instance.id`; nil for none.
    ///
    /// `[a-zA-Z0-9._-]{1,249}`, used by one process at a time. A process with several cores has a
    /// member on each: `NAME-0`, `NAME-1` and so on.
    public var instance: String?
    /// How long the partitions of a named instance that died or left wait for its return, in
    /// milliseconds.
    public var graceMilliseconds: Int
    /// How long a member may stay in one batch, or between its joining and its first look at the
    /// group, before the others take it for hung, in milliseconds; 0 for ever.
    ///
    /// A member that waits for data is not hung, however long it waits. One that was taken for hung
    /// joins again when it wakes; until then nothing that it does is accepted.
    public var hangMilliseconds: Int

    /// Options; by default no name, 30 seconds of grace, and hung after 30 seconds in a batch.
    public init(
        instance: String? = nil, graceMilliseconds: Int = 30_000, hangMilliseconds: Int = 30_000
    ) {
        self.instance = instance
        self.graceMilliseconds = graceMilliseconds
        self.hangMilliseconds = hangMilliseconds
    }

    var graceNanoseconds: Int64 {
        instance == nil ? 0 : Int64(graceMilliseconds).multiplied(clamped: 1_000_000)
    }
    var hangNanoseconds: Int64 { Int64(hangMilliseconds).multiplied(clamped: 1_000_000) }
}
