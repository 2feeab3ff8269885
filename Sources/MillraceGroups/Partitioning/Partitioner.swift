/// How a producer spreads rows over the partitions of a topic.
public enum PartitionerKind: String, Sendable, Hashable, CaseIterable {
    /// Row after row, each to the next partition in turn.
    case roundRobin
    /// Batch after batch: every row of a batch to one partition, so that batches are as large as can be.
    case sticky
    /// By the row's key, as Kafka's Java client does; rows without a key as `sticky` does.
    case hash
}

/// Chooses a partition for each row of one producer.
///
/// Deterministic: which row goes where depends on the rows and their batches alone, so a producer
/// that resumes at a known turn goes on as if it had never stopped. Three partitions and ten rows,
/// `roundRobin`: the partitions get 4, 3 and 3.
///
/// **Thread-safety**: one owner. Nothing here allocates.
public struct Partitioner: Sendable {
    /// How partitions are chosen.
    public let kind: PartitionerKind
    /// The number of partitions.
    public let partitionCount: Int
    /// The partition whose turn it is.
    public private(set) var turn: Int

    /// A partitioner for a topic of `partitionCount` partitions.
    ///
    /// - Parameters:
    ///   - kind: How to choose.
    ///   - partitionCount: At least one.
    ///   - turns: How many turns (rows for `roundRobin`, batches for the others) were taken before,
    ///     when a producer resumes.
    public init(_ kind: PartitionerKind, partitionCount: Int, resumingAfter turns: UInt64 = 0) {
        precondition(partitionCount > 0, "a topic has at least one partition")
        self.kind = kind
        self.partitionCount = partitionCount
        self.turn = Int(turns % UInt64(partitionCount))
    }

    /// The partition of the next row, which has no key.
    public mutating func partition() -> Int {
        let partition = turn
        if kind == .roundRobin { advance() }
        return partition
    }

    /// The partition of the next row, which has a key; only `hash` looks at it.
    ///
    /// - Complexity: O(n) for a key of n bytes.
    public mutating func partition(forKey key: Span<UInt8>) -> Int {
        guard kind == .hash else { return partition() }
        return Murmur2.partition(forKey: key, count: partitionCount)
    }

    /// Says that the batch of the partition whose turn it is was closed; `sticky` rows, and rows
    /// without a key under `hash`, then go to the next partition.
    public mutating func closeBatch() {
        if kind != .roundRobin { advance() }
    }

    private mutating func advance() {
        turn += 1
        if turn == partitionCount { turn = 0 }
    }
}
