#if Kafka
    internal import MillraceSystem
    internal import Synchronization

    /// This process's membership in a consumer group of Kafka, its partitions shared out among slots.
    ///
    /// One member, whatever the number of slots. A thread of the group looks after the membership:
    /// when partitions are to change hands it waits until each slot has finished its batch, committed
    /// and let go, and only then tells the brokers; so nobody else has a partition that a slot is
    /// still at work on. A slot that does not come back keeps the member from answering, and the
    /// brokers shut it out after `max.poll.interval.ms`; what it tries then is refused.
    /// **Thread-safety**: any thread; `run` blocks its caller.
    package final class KafkaGroup: Sendable {
        /// The number of the topic's partitions when the group was opened.
        package let partitions: Int
        /// The topic and the cluster, as the log's dictionaries name them.
        package let source: String
        let options: KafkaGroupOptions
        let handle: GroupClient
        private let stop: StopRequest
        private let state = Lock(State())
        /// Grows with everything that slots should look at.
        private let version = Atomic<Int>(0)

        private static let pollMilliseconds: Int32 = 50
        private static let waitNanoseconds: Int64 = 500_000
        private static let probeNanoseconds: Int64 = 2_000_000_000
        /// How long a member that leaves waits for a broker to hear of it.
        private static let mostLeavingMilliseconds = 10_000

        private enum Status { case granted, taken, revoked, lost }

        private struct Entry {
            let partition: KafkaPartition
            let slot: Int
            var status = Status.granted
            /// Whether its slot was told of the revocation.
            var isTold = false
        }

        private struct State {
            var entries: [Int: Entry] = [:]
            /// Slots that take partitions.
            var open: Set<Int> = []
            /// Whether the group has said what this member is to have.
            var isAssigned = false
            var failure: KafkaError?
        }

        /// Connects, and finds the topic; the membership begins with `run`.
        ///
        /// - Throws: `KafkaError` with `noBroker`, `noSuchTopic`, or what a broker refuses.
        package init(
            _ options: KafkaGroupOptions, isStopped: @escaping @Sendable () -> Bool
        ) throws(KafkaError) {
            self.options = options
            stop = StopRequest(MirrorHooks(isStopped: isStopped))
            handle = try GroupClient(
                options.address, options.properties,
                GroupClient.Membership(
                    group: options.group, instance: options.instance, strategy: options.strategy))
            let patience = Patience(milliseconds: options.connectMilliseconds, stop: stop)
            partitions = try handle.client.partitions(existing: options.address.topic, patience)
            source =
                "kafka:\(handle.client.clusterName(patience))/\(options.address.topic)"
        }

        /// The number of the partitions of another topic of the cluster, which has to be there.
        package func partitions(of topic: KafkaAddress) throws(KafkaError) -> Int {
            try handle.client.partitions(
                existing: topic.topic,
                Patience(milliseconds: options.connectMilliseconds, stop: stop))
        }

        // MARK: Running

        /// Is a member while `body` runs, once for each core on a thread that is bound to it.
        ///
        /// - Throws: the first error that a body threw, or what ended the membership.
        package func run(
            name: String, cores: [Int], _ body: @escaping @Sendable (KafkaMember) throws -> Void
        ) throws {
            let failures = Lock<[any Error]>([])
            state.withLock { $0.open = Set(cores.indices) }
            let threads = try cores.enumerated().map { index, core in
                try PinnedThread(name: "\(name)/\(index)", core: core) {
                    let member = KafkaMember(self, slot: index)
                    do { try body(member) } catch { failures.withLock { $0.append(error) } }
                    self.end(slot: index)
                }
            }
            do throws(KafkaError) {
                try handle.subscribe()
                try serve()
            } catch {
                // Slots that were asked to end do so, whether brokers are there or not.
                if !stop.isSet || error.code != .noBroker { fail(error) }
            }
            for thread in threads { thread.join() }
            do throws(KafkaError) { try leave() } catch { failures.withLock { $0.append(error) } }
            if let error = failures.withLock({ $0.first }) { throw error }
        }

        /// Looks after the membership while any slot is at work.
        private func serve() throws(KafkaError) {
            var heard = Clock.monotonicNanoseconds()
            while state.withLock({ !$0.open.isEmpty }) {
                if let event = try handle.next(milliseconds: Self.pollMilliseconds) {
                    try handleEvent(event)
                }
                let now = Clock.monotonicNanoseconds()
                guard now - heard > Self.probeNanoseconds else { continue }
                try probe()
                heard = Clock.monotonicNanoseconds()
            }
        }

        /// Finds out whether a broker is there at all.
        ///
        /// It asks: of a broker that is lost for the second time librdkafka says nothing.
        private func probe() throws(KafkaError) {
            _ = try handle.client.partitions(
                making: options.address.topic,
                Patience(milliseconds: options.patienceMilliseconds, stop: stop))
        }

        private func leave() throws(KafkaError) {
            let most = min(options.patienceMilliseconds, Self.mostLeavingMilliseconds)
            try handle.close(within: most) { (event) throws(KafkaError) in
                try self.handleEvent(event)
            }
        }

        /// Ends every slot with an error.
        private func fail(_ error: KafkaError) {
            state.withLock { if $0.failure == nil { $0.failure = error } }
            changed()
        }

        private func changed() { version.wrappingAdd(1, ordering: .releasing) }

        // MARK: Rebalances

        private func handleEvent(_ event: GroupClient.Event) throws(KafkaError) {
            switch event {
            case .assigned(let partitions):
                do throws(KafkaError) { try take(partitions) } catch {
                    // An assignment has to be answered, or the member can never leave; where it
                    // has been, the second answer is refused and does no harm.
                    do throws(KafkaError) {
                        try handle.assign(partitions.map { ($0, KafkaPartition.front) })
                    } catch {}
                    throw error
                }
            case .revoked(let partitions, let isLost):
                state.withLock { $0.isAssigned = false }
                giveBack(partitions, isLost: isLost)
                try handle.unassign(partitions)
            }
        }

        private func take(_ all: [Int]) throws(KafkaError) {
            let numbers = all.filter { options.partitions?.contains($0) ?? true }
            let others = all.filter { !numbers.contains($0) }
            let patience = Patience(milliseconds: options.patienceMilliseconds, stop: stop)
            let committed = try handle.committed(numbers, patience)
            var granted: [KafkaPartition] = []
            for (number, offset) in zip(numbers, committed) {
                granted.append(
                    try KafkaPartition(
                        number, start: try start(number, committed: offset, patience), handle,
                        patienceMilliseconds: options.patienceMilliseconds))
            }
            try handle.assign(
                granted.map { ($0.number, $0.start) }
                    + others.map { ($0, KafkaPartition.front) })
            try handle.pause(others)
            state.withLock { state in
                state.isAssigned = true
                for partition in granted.sorted(by: { $0.number < $1.number }) {
                    guard let slot = Self.leastLoaded(state) else { break }
                    state.entries[partition.number] = Entry(partition: partition, slot: slot)
                }
            }
            changed()
        }

        /// The slot with the fewest partitions, the first of several.
        private static func leastLoaded(_ state: State) -> Int? {
            let loads = Dictionary(grouping: state.entries.values, by: \.slot)
            return state.open.min {
                (loads[$0]?.count ?? 0, $0) < (loads[$1]?.count ?? 0, $1)
            }
        }

        /// Where to begin with a partition.
        private func start(
            _ number: Int, committed: Int64?, _ patience: Patience
        ) throws(KafkaError) -> Int64 {
            guard let committed else { return KafkaPartition.front }
            let range = try handle.client.offsets(
                of: options.address.topic, partitions: number + 1, patience)[number]
            if range.contains(committed) || committed == range.upperBound { return committed }
            let place = "\(options.address), partition \(number)"
            guard committed < range.lowerBound else {
                throw KafkaError(
                    .offsetOutOfRange,
                    "the partition ends at offset \(range.upperBound), and the group has read up "
                        + "to \(committed): it is not the topic that it was",
                    at: place, advice: "Reset the group's offsets with Kafka's own tools.")
            }
            guard options.onOutOfRange == .earliest else {
                throw KafkaError(
                    .offsetOutOfRange,
                    "offsets \(committed) to \(range.lowerBound - 1) were removed before they "
                        + "were read",
                    at: place, advice: "--on-out-of-range earliest goes on with what is left.")
            }
            return KafkaPartition.front
        }

        /// Waits until no slot works on these partitions any more.
        private func giveBack(_ numbers: [Int], isLost: Bool) {
            let numbers = Set(numbers)
            state.withLock { state in
                for number in numbers {
                    guard let status = state.entries[number]?.status else { continue }
                    if status == .granted {
                        state.entries[number] = nil
                    } else {
                        state.entries[number]?.status = isLost ? .lost : .revoked
                    }
                }
            }
            changed()
            while state.withLock({ state in
                state.entries.contains {
                    numbers.contains($0.key) && state.open.contains($0.value.slot)
                }
            }) {
                PinnedThread.sleep(nanoseconds: Self.waitNanoseconds)
            }
            state.withLock { state in for number in numbers { state.entries[number] = nil } }
        }

        /// The partitions that this member has, in order.
        package var owned: [Int] { state.withLock { $0.entries.keys.sorted() } }

        // MARK: For slots

        var current: Int { version.load(ordering: .acquiring) }

        /// What a slot has been given and is to give back, since it asked last.
        func changes(of slot: Int) throws(KafkaError) -> KafkaChanges {
            let found: (changes: KafkaChanges, failure: KafkaError?) = state.withLock { state in
                var changes = KafkaChanges()
                for (number, entry) in state.entries where entry.slot == slot {
                    switch entry.status {
                    case .granted:
                        state.entries[number]?.status = .taken
                        changes.granted.append(entry.partition)
                    case .revoked, .lost:
                        guard !entry.isTold else { continue }
                        state.entries[number]?.isTold = true
                        if entry.status == .lost {
                            changes.lost.append(entry.partition)
                        } else {
                            changes.revoked.append(entry.partition)
                        }
                    case .taken: continue
                    }
                }
                return (changes, state.failure)
            }
            if let failure = found.failure { throw failure }
            return found.changes
        }

        /// Takes note that a slot does not work on partitions any more.
        func release(_ partitions: [KafkaPartition]) {
            state.withLock { state in
                for partition in partitions
                where state.entries[partition.number]?.partition == partition {
                    state.entries[partition.number] = nil
                }
            }
        }

        /// Whether a slot has everything that it is to have for now.
        func isSettled(_ slot: Int) -> Bool {
            state.withLock { state in
                state.isAssigned
                    && !state.entries.values.contains { $0.slot == slot && $0.status != .taken }
            }
        }

        /// Whether no slot is to give anything back.
        var keepsAll: Bool {
            state.withLock { state in
                let gone: [Status] = [.revoked, .lost]
                return state.isAssigned
                    && !state.entries.values.contains { gone.contains($0.status) }
            }
        }

        private func end(slot: Int) {
            state.withLock { _ = $0.open.remove(slot) }
            changed()
        }
    }

    /// What has changed for a slot.
    package struct KafkaChanges {
        /// What the slot owns from now on.
        package var granted: [KafkaPartition] = []
        /// What it is to finish with, commit and give to `release`.
        package var revoked: [KafkaPartition] = []
        /// What others may own already; nothing that was done there since the last commit counts.
        package var lost: [KafkaPartition] = []

        var isEmpty: Bool { granted.isEmpty && revoked.isEmpty && lost.isEmpty }
    }

    extension KafkaClient {
        /// The number of the partitions of a topic that has to be there.
        func partitions(existing name: String, _ patience: Patience) throws(KafkaError) -> Int {
            guard let count = try partitions(of: name, patience) else {
                throw KafkaError(
                    .noSuchTopic, "there is no such topic", at: address.topic(name).description,
                    advice: KafkaError.advice(for: .noSuchTopic))
            }
            return count
        }
    }
#endif
