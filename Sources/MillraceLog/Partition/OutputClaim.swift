/// A consumer group member's right to append what it makes of one source partition.
///
/// The log itself is the judge. Once a batch of the claim's generation is there, batches of earlier
/// generations of that group and source are refused, and so is a batch that begins before the end
/// of the newest. It is checked where batches get their order, under the append lock, so that a
/// member that was stopped between its own check and its write, and whose partition was given
/// to another meanwhile, is refused when it wakes.
public struct OutputClaim: Sendable, Equatable {
    /// The group, as the output topic's dictionary names it.
    public var group: String
    /// The source topic (`Topic.reference`).
    public var source: String
    /// Partition of the source.
    public var sourcePartition: Int
    /// The generation in which the member became the owner of the source partition; no two owners
    /// of the partition have the same, and later ones have larger ones.
    public var generation: UInt32
    /// The source offset to begin with where the output does not tell.
    public var start: UInt64

    /// Whether an earlier owner may still live, as one that was taken for hung.
    ///
    /// The writer then begins with a batch without rows, which shuts that owner out at once.
    /// Without, it is shut out by the first batch with rows.
    public var isContested: Bool
    /// Whether to go on from `start` whatever the output tells: how a group is reset.
    public var isReset: Bool

    /// A claim with these fields.
    public init(
        group: String, source: String, sourcePartition: Int, generation: UInt32,
        start: UInt64 = 0, isContested: Bool = true, isReset: Bool = false
    ) {
        self.group = group
        self.source = source
        self.sourcePartition = sourcePartition
        self.generation = generation
        self.start = start
        self.isContested = isContested
        self.isReset = isReset
    }
}

/// A claim in the numbers of the output's dictionary.
struct ClaimKey: Sendable, Equatable {
    let group: UInt32
    let source: UInt32
    let partition: UInt32
    let generation: UInt32
    let start: UInt64
    let isReset: Bool

    /// Whether a batch records progress of the claim's group in the claim's source partition.
    @inline(__always)
    func covers(_ origin: BatchOrigin) -> Bool {
        origin.source == source && origin.group == group && origin.sourcePartition == partition
    }
}

/// What the newest batch that a claim covers says.
struct ClaimMark: Sendable, Equatable {
    let generation: UInt32
    let end: UInt64
}
