/// With whom a group shares cores, which halves what each of them gets.
public enum CoreSharing: Sendable, Hashable {
    /// With no other group: cores that are named and in use are refused, and cores that are not
    /// named are chosen from those that are free.
    case refused
    /// With groups of this process, as the stages of one run do, which sleep while they wait; with
    /// those of other processes as `refused` says.
    case withinProcess
    /// With any group.
    case allowed
}

/// A core on which a group of a data directory has a consumer.
public struct CoreUse: Sendable, Hashable {
    /// The core.
    public let core: Int
    /// The group.
    public let group: String
    /// The process that the consumer lives in.
    public let process: Int
}
