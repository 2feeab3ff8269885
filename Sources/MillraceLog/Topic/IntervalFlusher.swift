internal import MillraceSystem
internal import Synchronization

/// Flushes the partitions of a topic that have writers in this process, every so many milliseconds.
///
/// Its thread lives while there is a writer. A failed sync poisons the partition, which the next
/// append reports.
final class IntervalFlusher: Sendable {
    private struct State {
        var partitions: [Int: (files: PartitionFiles, sources: SourceTopics?, writers: Int)] = [:]
        var isRunning = false
    }

    private let nanoseconds: Int64
    private let state = Mutex(State())

    init(milliseconds: Int) { nanoseconds = Int64(milliseconds) * 1_000_000 }

    /// What a writer holds while it lives.
    final class Registration: Sendable {
        private let flusher: IntervalFlusher
        private let partition: Int

        fileprivate init(_ flusher: IntervalFlusher, _ partition: Int) {
            self.flusher = flusher
            self.partition = partition
        }

        deinit { flusher.leave(partition) }
    }

    /// Takes a writer's partition into care.
    func register(_ files: PartitionFiles, _ sources: SourceTopics?) throws(LogError)
        -> Registration
    {
        let mustStart = state.withLock { state in
            let writers = state.partitions[files.partition]?.writers ?? 0
            state.partitions[files.partition] = (files, sources, writers + 1)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { try start() }
        return Registration(self, files.partition)
    }

    private func leave(_ partition: Int) {
        let last = state.withLock { state -> (PartitionFiles, SourceTopics?)? in
            guard let entry = state.partitions[partition] else { return nil }
            if entry.writers > 1 {
                state.partitions[partition]?.writers -= 1
                return nil
            }
            state.partitions[partition] = nil
            return (entry.files, entry.sources)
        }
        // Nobody else would flush what was appended since the last turn.
        guard let (files, sources) = last else { return }
        do throws(LogError) { try Self.flush(files, sources) } catch {}
    }

    private func start() throws(LogError) {
        do throws(SystemError) {
            _ = try PinnedThread(name: "flusher", core: nil) { self.work() }
        } catch {
            state.withLock { $0.isRunning = false }
            throw LogError(error, while: "cannot start the flusher")
        }
    }

    private func work() {
        while true {
            PinnedThread.sleep(nanoseconds: nanoseconds)
            let partitions = state.withLock { state in
                if state.partitions.isEmpty { state.isRunning = false }
                return state.partitions.values.map { ($0.files, $0.sources) }
            }
            if partitions.isEmpty { return }
            for (files, sources) in partitions {
                // What goes wrong stands in the control page, where the next append finds it; a
                // passing failure (no memory, no descriptor) is tried again in the next turn.
                do throws(LogError) { try Self.flush(files, sources) } catch {}
            }
        }
    }

    private static func flush(
        _ files: PartitionFiles, _ sources: SourceTopics?
    ) throws(LogError) {
        let control = try files.openControl(writable: true)
        let target = try control.publishedValue().position
        guard try control.durablePosition() < target else { return }
        let slot = try OwnerSlot(files.writers, control)
        try PartitionFlusher(files: files, sources: sources)
            .flush(through: target, control: control, slot: slot)
    }
}
