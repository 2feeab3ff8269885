internal import MillraceSystem
internal import Synchronization

/// Partitions that are not to be read at the moment.
///
/// **Thread-safety**: any thread.
final class PausedPartitions: Sendable {
    private let partitions = Lock<Set<TopicPartition>>([])
    private let count = Atomic<Int>(0)

    func add(_ added: some Sequence<TopicPartition>) {
        let total = partitions.withLock { set in
            set.formUnion(added)
            return set.count
        }
        count.store(total, ordering: .relaxed)
    }

    func remove(_ removed: some Sequence<TopicPartition>) {
        let total = partitions.withLock { set in
            set.subtract(removed)
            return set.count
        }
        count.store(total, ordering: .relaxed)
    }

    /// Whether a partition is paused: one load while none is.
    @inline(__always)
    func contains(_ partition: TopicPartition) -> Bool {
        guard count.load(ordering: .relaxed) > 0 else { return false }
        return partitions.withLock { $0.contains(partition) }
    }
}
