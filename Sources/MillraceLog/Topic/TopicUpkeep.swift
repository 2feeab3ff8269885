internal import MillraceSystem

/// What is due from time to time in the partitions of a topic that have writers in this process: to
/// flush them, where the flush policy is an interval, and to remove rows that are too old, where
/// they expire by age.
///
/// Its thread lives while there is a writer. A failed sync poisons the partition, which the next
/// append reports.
final class TopicUpkeep: Sendable {
    private struct State {
        var partitions: [Int: (files: PartitionFiles, sources: SourceTopics?, writers: Int)] = [:]
        var isRunning = false
    }

    private let configuration: TopicConfiguration
    private let flushes: Bool
    /// How long the thread rests between two turns.
    private let nanoseconds: Int64
    /// How long rows are left alone after it was looked whether they are too old.
    private let agingNanoseconds: Int64?
    private let state = Lock(State())

    /// Nil when a topic needs none.
    init?(_ configuration: TopicConfiguration) {
        self.configuration = configuration
        var interval: Int?
        if case .interval(let milliseconds) = configuration.flush { interval = milliseconds }
        // An eighth of the age: rows stay that much longer at most.
        let aging = configuration.retention.milliseconds.map { min(max($0 / 8, 1_000), 60_000) }
        guard let rest = [interval, aging].compactMap(\.self).min() else { return nil }
        flushes = interval != nil
        nanoseconds = Int64(rest) * 1_000_000
        agingNanoseconds = aging.map { Int64($0) * 1_000_000 }
    }

    /// What a writer holds while it lives.
    final class Registration: Sendable {
        private let upkeep: TopicUpkeep
        private let partition: Int

        fileprivate init(_ upkeep: TopicUpkeep, _ partition: Int) {
            self.upkeep = upkeep
            self.partition = partition
        }

        deinit { upkeep.leave(partition) }
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
        guard flushes, let (files, sources) = last else { return }
        do throws(LogError) { try Self.flush(files, sources) } catch {}
    }

    private func start() throws(LogError) {
        do throws(SystemError) {
            _ = try PinnedThread(name: "upkeep", core: nil) { self.work() }
        } catch {
            state.withLock { $0.isRunning = false }
            throw LogError(error, while: "cannot start the topic's upkeep")
        }
    }

    private func work() {
        var aged = Clock.monotonicNanoseconds()
        while true {
            PinnedThread.sleep(nanoseconds: nanoseconds)
            let partitions = state.withLock { state in
                if state.partitions.isEmpty { state.isRunning = false }
                return state.partitions.values.map { ($0.files, $0.sources) }
            }
            if partitions.isEmpty { return }
            let now = Clock.monotonicNanoseconds()
            let isAging = agingNanoseconds.map { now - aged >= $0 } ?? false
            if isAging { aged = now }
            for (files, sources) in partitions {
                // What goes wrong stands in the control page, where the next append finds it; a
                // passing failure (no memory, no descriptor) is tried again in the next turn.
                do throws(LogError) {
                    if flushes { try Self.flush(files, sources) }
                    if isAging { try Self.retain(files, configuration, sources) }
                } catch {}
            }
        }
    }

    /// Removes what retention lets go of a partition that has been recovered.
    static func retain(
        _ files: PartitionFiles, _ configuration: TopicConfiguration, _ sources: SourceTopics?
    ) throws(LogError) {
        let plan = try RetentionPlan(
            files, configuration.retention, files.openControl(writable: false))
        guard !plan.doomed.isEmpty else { return }
        var writer = try PartitionWriter(
            files: files, configuration: configuration, producer: 0, mode: .write,
            sources: sources, upkeep: nil)
        try writer.applyRetention()
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
