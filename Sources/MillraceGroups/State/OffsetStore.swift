internal import Synchronization

/// The committed offsets of a group: for each partition the offset that is to be read next.
///
/// All partitions are one record, written whole by every commit, so that a crash shows either all of
/// a commit or nothing of it. A commit that returned survives the death of the process; one that
/// returned *durable* survives a loss of power. A commit is one `pwrite` (and an `fdatasync` when
/// durable) and allocates nothing.
///
/// **Thread-safety**: any thread may call anything; commits follow one another, and a durable one
/// holds up the others until the disk answers.
public final class OffsetStore: Sendable {
    /// The number of a registered partition, for commits that look nothing up.
    public struct Handle: Sendable, Hashable {
        let index: Int
    }

    /// One partition's part in a commit.
    public struct Position: Sendable, Hashable {
        /// Which partition.
        public var partition: Handle
        /// The offset to be read next: last consumed + 1.
        public var next: UInt64

        /// Says that `next` is to be read next from `partition`.
        public init(_ partition: Handle, next: UInt64) {
            self.partition = partition
            self.next = next
        }
    }

    /// How many of the file's three slots were not whole when it was opened: torn by a crash in the
    /// middle of a commit, which never returned, or damaged since.
    public let damagedSlots: Int

    private let state: Mutex<State>

    /// Takes over what the offsets file at `path` was found to hold, for `generation` alone.
    ///
    /// The file is replaced by a fresh one, durably: whoever still holds the old one open, such as
    /// a stopped process that wakes, writes where nobody reads.
    ///
    /// - Throws: `GroupError.system`.
    init(
        group: String, path: String, generation: UInt32, found contents: OffsetFile.Contents?
    ) throws(GroupError) {
        var record =
            contents?.newest
            ?? OffsetRecord(sequence: 0, generation: generation, committedAt: 0, entries: [])
        record.generation = generation
        record.entries.removeAll { $0.next == OffsetRecord.none }
        damagedSlots = contents?.damagedSlots ?? 0
        state = Mutex(try State(group: group, path: path, record: record))
    }

    /// The generation whose commits are taken.
    public var generation: UInt32 { state.withLock { $0.generation } }

    /// Makes a topic known, so that its partitions can be committed.
    ///
    /// Partitions that are known keep their handles. What was committed for another topic of the same
    /// name, deleted since, is forgotten: those offsets mean nothing in this one.
    ///
    /// - Parameters:
    ///   - topic: The topic's name.
    ///   - id: What tells the topic from others that had its name.
    ///   - partitions: How many partitions it has.
    /// - Returns: A handle for each partition, in order.
    /// - Throws: `GroupError.system` when the file had to grow and could not.
    public func register(
        topic: String, id: UInt64, partitions: Int
    ) throws(GroupError) -> [Handle] {
        try state.withLock { state throws(GroupError) in
            try state.register(topic, id: id, partitions)
        }
    }

    /// The offset to be read next, or nil when none was committed.
    public func committed(_ partition: Handle) -> UInt64? {
        state.withLock { $0.committed(partition.index) }
    }

    /// The offset to be read next, or nil when none was committed.
    public func committed(_ partition: TopicPartition) -> UInt64? {
        state.withLock { state in state.index(of: partition).flatMap { state.committed($0) } }
    }

    /// All committed offsets, in the order of their partitions.
    public func committed() -> [CommittedOffset] {
        state.withLock { $0.committed() }
    }

    /// Commits several partitions at once: after a crash all of them hold, or none.
    ///
    /// - Parameters:
    ///   - positions: What to commit; partitions that are not named stay where they are.
    ///   - generation: The generation in which the rows were read.
    ///   - durable: Whether to return only when a loss of power can take nothing back. Makes all
    ///     earlier commits durable too.
    /// - Throws: `GroupError` with `fenced` when `generation` is not the current one, nothing then
    ///   being changed; with `system` when the file could not be written, nothing then being
    ///   changed, or not synced, the store then refusing every further commit.
    /// - Complexity: O(p) for p registered partitions: one `pwrite` of about 32 bytes for each.
    public func commit(
        _ positions: Span<Position>, generation: UInt32, durable: Bool = false
    ) throws(GroupError) {
        try state.withLock { state throws(GroupError) in
            try state.checkGeneration(generation)
            for index in positions.indices {
                state.stage(positions[index].partition.index, next: positions[index].next)
            }
            try state.commit(durable: durable)
        }
    }

    /// Commits one partition.
    ///
    /// - Throws: As `commit(_:generation:durable:)`.
    public func commit(
        _ partition: Handle, next: UInt64, generation: UInt32, durable: Bool = false
    ) throws(GroupError) {
        try state.withLock { state throws(GroupError) in
            try state.checkGeneration(generation)
            state.stage(partition.index, next: next)
            try state.commit(durable: durable)
        }
    }

    /// Forgets what was committed for some partitions, durably and at once: as if the group had never
    /// read them.
    ///
    /// - Throws: As `commit(_:generation:durable:)`.
    public func forget(
        _ partitions: [Handle], generation: UInt32
    ) throws(GroupError) {
        try state.withLock { state throws(GroupError) in
            try state.checkGeneration(generation)
            for partition in partitions { state.stage(partition.index, next: nil) }
            try state.commit(durable: true)
        }
    }

    /// Makes every commit so far durable.
    ///
    /// - Throws: `GroupError.system`; the store then refuses every further commit.
    public func sync() throws(GroupError) {
        try state.withLock { state throws(GroupError) in try state.sync() }
    }

    /// Begins the next generation, durable in `file` before anybody can see it.
    func advance(after file: GenerationFile) throws(GroupError) -> UInt32 {
        try state.withLock { state throws(GroupError) in
            let next = state.generation + 1
            try file.write(next)
            try state.advance(to: next)
            return next
        }
    }
}
