public import MillraceLog
internal import MillraceSystem
internal import Synchronization

/// A consumer group, run by this process on pinned cores.
///
/// One slot a core; each slot owns its partitions alone. A group's state is on the disk: which
/// generation it is in, and for each partition the offset to read next (the last consumed + 1).
/// **Thread-safety**: any thread; `run` blocks its caller.
public final class ConsumerGroup: Sendable {
    /// A thread bound to a core, and the partitions that it owns.
    public struct Slot: Sendable {
        /// Place in the group, from 0.
        public let index: Int
        /// The core the thread is bound to.
        public let core: Int
        /// What the slot reads; nobody else of this generation does.
        public let partitions: [TopicPartition]
    }

    /// The group's name.
    public let name: String
    /// Number of this run of the group: larger than that of any run before.
    public let generation: UInt32
    /// The slots, one for each core.
    public let slots: [Slot]
    private let directory: GroupDirectory
    private let topics: [String: Topic]
    private let handles: [TopicPartition: OffsetStore.Handle]

    /// Joins as the only process of the group, with all partitions of `topics`.
    ///
    /// - Parameter cores: where the slots run; by default one slot on each physical core that this
    ///   process may use.
    /// - Throws: `GroupError`: the name is not allowed, a core does not exist or is not allowed, or
    ///   another process runs the group.
    public init(
        data: DataDirectory, name: String, topics: [Topic], cores: [Int]? = nil,
        assignor: Assignor = .sticky
    ) throws(GroupError) {
        let text = cores?.map(String.init).joined(separator: ",")
        let list =
            try text.map { (text) throws(GroupError) in try CoreList(parsing: text) }
            ?? CoreList(automaticOn: .current())
        let directory = try GroupCatalog(dataDirectory: data.path).open(name)
        var handles: [TopicPartition: OffsetStore.Handle] = [:]
        for topic in topics {
            let registered = try directory.offsets.register(
                topic: topic.name, id: topic.id, partitions: topic.partitions)
            for (partition, handle) in registered.enumerated() {
                handles[TopicPartition(topic: topic.name, partition: partition)] = handle
            }
        }
        let members = list.cores.indices.map { MemberID("slot-\($0)") }
        let assignment = assignor.assign(members: members, partitions: Array(handles.keys))
        self.name = name
        self.directory = directory
        self.handles = handles
        self.topics = Dictionary(topics.map { ($0.name, $0) }) { first, _ in first }
        generation = directory.generation
        slots = list.cores.enumerated().map { index, core in
            Slot(index: index, core: core, partitions: assignment[members[index]])
        }
    }

    /// The offset to read next in a partition; nil when the group has committed none.
    public func committed(_ partition: TopicPartition) -> UInt64? {
        directory.offsets.committed(partition)
    }

    /// Records that everything before `next` has been consumed.
    ///
    /// It survives the death of the process; `sync` makes it survive loss of power.
    public func commit(_ partition: TopicPartition, next: UInt64) throws(GroupError) {
        guard let handle = handles[partition] else {
            preconditionFailure("partition \(partition) is not the group's")
        }
        try directory.offsets.commit(handle, next: next, generation: generation)
    }

    /// Makes all commits so far durable.
    public func sync() throws(GroupError) { try directory.offsets.sync() }

    /// Runs `body` once for each slot that owns a partition, on the slot's pinned thread, and waits
    /// for all of them.
    ///
    /// - Throws: the first error that a slot threw.
    public func run(_ body: @escaping @Sendable (Slot) throws -> Void) throws {
        let failure = Mutex<(any Error)?>(nil)
        let threads = try slots.filter { !$0.partitions.isEmpty }.map { slot in
            try PinnedThread(name: "\(name)/\(slot.index)", core: slot.core) {
                do { try body(slot) } catch {
                    failure.withLock { if $0 == nil { $0 = error } }
                }
            }
        }
        for thread in threads { thread.join() }
        if let error = failure.withLock({ $0 }) { throw error }
    }

    /// Reads every partition from where the group stopped to its published end, hands each batch to
    /// `handler` on the owner's pinned thread, and commits after it.
    ///
    /// Rows before `RecordBatch.skippedRows` were consumed earlier. When the handler throws, the
    /// batch is not committed: it comes again next time.
    public func consumeToEnd(
        _ handler: @escaping @Sendable (Slot, borrowing RecordBatch) throws -> Void
    ) throws {
        try run { slot in
            for partition in slot.partitions {
                guard let topic = self.topics[partition.topic] else { continue }
                var reader = try topic.reader(partition: partition.partition)
                try reader.seek(to: self.committed(partition) ?? reader.startOffset)
                while true {
                    guard let batch = try reader.next() else { break }
                    try handler(slot, batch)
                    try self.commit(partition, next: batch.endOffset)
                }
            }
            try self.sync()
        }
    }
}
