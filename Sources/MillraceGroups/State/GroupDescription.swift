/// What can be seen of a group from outside.
public struct GroupDescription: Sendable, Equatable {
    /// The group's name.
    public let name: String
    /// The newest generation.
    public let generation: UInt32
    /// Whether somebody runs the group at the moment.
    public let isActive: Bool
    /// The process that runs it, when one does and is known.
    public let holder: Int?
    /// When the newest commit was made, in nanoseconds since 1970 UTC.
    public let committedAt: Int64
    /// What the group has committed, in the order of the partitions.
    public let offsets: [CommittedOffset]
    /// How many slots of the offsets file were not whole.
    ///
    /// See `OffsetStore.damagedSlots`. While the group is active, one of them may merely be in the
    /// middle of a commit.
    public let damagedSlots: Int
}
