#if Kafka
    internal import MillraceSystem

    /// One slot's part in a consumer group of Kafka: what it owns, and how far it is.
    ///
    /// **Thread-safety**: one owner.
    package final class KafkaMember {
        private let group: KafkaGroup
        private let slot: Int
        private var seen = -1
        /// Where the slot writes, whose transactions commit what it has read; nil where progress is
        /// kept elsewhere, and the group's offsets are a copy of it.
        private var sink: KafkaSink?
        /// What has been worked on since the last commit: the offsets to go on from.
        private var positions: [KafkaPartition: Int64] = [:]
        private var attempts = 0
        private var committedAt: Int64 = 0
        private var copies = 0

        /// How often what came to nothing is tried again.
        private static let mostAttempts = 5
        private static let pauseNanoseconds: Int64 = 200_000_000
        /// How long a copy of the progress may be behind.
        private static let copyNanoseconds: Int64 = 1_000_000_000
        /// How often a copy is said again that did not change.
        private static let mostCopies = 30

        init(_ group: KafkaGroup, slot: Int) {
            self.group = group
            self.slot = slot
        }

        /// The place of the slot among those of the process, from 0.
        package var index: Int { slot }

        /// Lets the slot write to a topic of Kafka in transactions that commit what it has read.
        ///
        /// - Throws: `KafkaError`, `noBroker` where none answers in time.
        package func open(_ output: KafkaSinkOptions) throws(KafkaError) -> KafkaSink {
            let options = group.options
            // With a name the next process under it ends at once what this one leaves open; without,
            // brokers do when the transaction times out.
            let name = options.instance ?? String(UInt64.random(in: 0...UInt64.max), radix: 36)
            let sink = try KafkaSink(
                output, transactionalID: "millrace-\(options.group)-\(name)-\(slot)",
                patienceMilliseconds: options.patienceMilliseconds)
            self.sink = sink
            return sink
        }

        /// Whether the group has changed in any way since `changes` was called: one load.
        package var mayHaveChanged: Bool { group.current != seen }

        /// What has changed since the last call; nil when nothing has.
        ///
        /// What is lost has been taken back and released when this returns.
        package func changes() throws(KafkaError) -> KafkaChanges? {
            let now = group.current
            guard now != seen else { return nil }
            let changes = try group.changes(of: slot)
            seen = now
            if !changes.lost.isEmpty {
                try abandon()
                group.release(changes.lost)
            }
            return changes.isEmpty ? nil : changes
        }

        /// Gives partitions back, all of their work being committed.
        package func release(_ partitions: [KafkaPartition]) {
            for partition in partitions { positions[partition] = nil }
            group.release(partitions)
        }

        /// Whether the slot has everything that it is to have for now.
        package var isSettled: Bool { group.isSettled(slot) }

        /// Whether no slot of the process is to give anything back.
        package var keepsAll: Bool { group.keepsAll }

        // MARK: Progress

        /// Records that everything before `next` has its outcome; it counts from `settle` on.
        package func advance(_ partition: KafkaPartition, to next: Int64) {
            positions[partition] = next
            copies = 0
        }

        /// Takes note that an output, which is the truth where the group has a copy, has everything
        /// before `tail`: who had the partition before may have left its last commits unsaid.
        ///
        /// - Returns: Where to go on; nil for the front of the partition.
        package func resume(_ partition: KafkaPartition, at tail: UInt64) -> Int64? {
            let known = partition.position
            if Int64(tail) > known ?? 0 { advance(partition, to: Int64(tail)) }
            return known != nil || tail > 0 ? Int64(tail) : nil
        }

        /// Commits what was worked on since the last time, as one whole.
        ///
        /// - Throws: `KafkaError`; `takeBack` tells whether to go on.
        package func settle() throws(KafkaError) {
            guard !positions.isEmpty else { return }
            guard let sink else { return copyProgress(wait: false) }
            let member = try group.handle.identity()
            guard !group.handle.isLost else {
                throw KafkaError(
                    .fenced, "the member was shut out of group '\(group.options.group)'",
                    at: group.options.address.description)
            }
            let topic = group.options.address.topic
            try sink.commit(
                positions.map { (topic, $0.key.number, $0.value) }, of: member)
            for (partition, next) in positions { partition.commit(next) }
            positions.removeAll(keepingCapacity: true)
            attempts = 0
        }

        /// Tells the group how far the slot is, where that is a copy: for those who look at lag.
        private func copyProgress(wait: Bool) {
            let now = Clock.monotonicNanoseconds()
            let isDue = copies < Self.mostCopies && now - committedAt > Self.copyNanoseconds
            guard wait || isDue else { return }
            committedAt = now
            copies += 1
            for (partition, next) in positions { partition.commit(next) }
            let offsets = positions.map { ($0.key.number, $0.value) }
            // The output is the truth; brokers that are away are told the next time.
            do throws(KafkaError) {
                try group.handle.commit(offsets, wait: wait)
                // What was only sent may be refused while the group changes, and is said again.
                if wait { positions.removeAll(keepingCapacity: true) }
            } catch {}
        }

        /// Commits what is left, before partitions are given back or the slot ends.
        package func finish() throws(KafkaError) {
            guard sink == nil else { return try settle() }
            if !positions.isEmpty { copyProgress(wait: true) }
        }

        /// Takes back what was done since the last commit; false where that is no help, and the
        /// error stands.
        ///
        /// Afterwards every partition is to be begun with anew, at its `position`.
        package func takeBack(after error: any Error, isStopped: Bool) throws(KafkaError) -> Bool {
            guard let error = error as? KafkaError, sink != nil else { return false }
            guard error.code == .fenced || error.code == .noBroker || error.code == .client,
                !isStopped, attempts < Self.mostAttempts
            else { return false }
            attempts += 1
            do throws(KafkaError) { try abandon() } catch { return false }
            PinnedThread.sleep(nanoseconds: Self.pauseNanoseconds * Int64(attempts))
            return true
        }

        private func abandon() throws(KafkaError) {
            positions.removeAll(keepingCapacity: true)
            try sink?.abort()
        }
    }
#endif
