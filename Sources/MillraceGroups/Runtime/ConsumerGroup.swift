public import MillraceLog
internal import MillraceSystem
internal import Synchronization

/// This process's part in a consumer group: a member on each of some cores.
///
/// Any number of processes on one data directory may be in a group. Each partition of its topics
/// has one owner at a time; members that come, go, die or hang lead to a new generation in which
/// their partitions are others', and partitions that stay where they are are not interrupted.
/// Deaths are told by the kernel, without a time-out. How far the group is (for each partition the
/// offset to read next: the last consumed + 1) is on the disk, for all to see.
///
/// **Thread-safety**: any thread; `run` and the functions that consume block their caller.
public final class ConsumerGroup: Sendable {
    /// The group's name.
    public let name: String
    private let choice: CoreChoice
    /// The cores, one consumer on each.
    public var cores: [Int] { choice.cores }
    let session: GroupSession
    let topics: [String: Topic]
    /// The numbers of the partitions that are read of each topic; nil for all.
    private let partitions: [Int]?
    private let options: MemberOptions
    private let subscription: GroupState.Subscription
    /// The members, one for each core, while the process is in the group.
    private let members: Lock<[Member]>
    private let stopFlag = Atomic<Bool>(false)
    private let isRunning = Atomic<Bool>(false)
    /// Partitions that are not to be read at the moment.
    let paused = PausedPartitions()

    /// Joins a group, which is made where it is not there.
    ///
    /// - Parameters:
    ///   - topics: What is read, at least one; the same for all members.
    ///   - outputs: Topics whose batches record the group's progress, where it has such: a
    ///     partition of each for each partition that is read, both of the same number.
    ///   - cores: Where the consumers run, one on each; by default on each physical core that this
    ///     process may use. A core is named once: there are no more consumers than cores.
    ///   - coreSharing: Whether other groups may have consumers on the same cores.
    ///   - assignor: How partitions are shared out; the same for all members.
    ///   - isExclusive: Whether no other process may be in the group.
    /// - Throws: `GroupError`: a name is not allowed, a core does not exist, is not allowed or is
    ///   another group's, the members that are there do something else, or another process has the
    ///   group to itself.
    public convenience init(
        data: DataDirectory, name: String, topics: [Topic], outputs: [Topic] = [],
        cores: [Int]? = nil, coreSharing: CoreSharing = .refused, assignor: Assignor = .sticky,
        isExclusive: Bool = false,
        options: MemberOptions = MemberOptions()
    ) throws(GroupError) {
        try self.init(
            data: data, name: name, topics: topics, partitions: nil, outputs: outputs,
            cores: cores, coreSharing: coreSharing, assignor: assignor, isExclusive: isExclusive,
            options: options)
    }

    /// Joins a group that reads only some partitions of each topic: those of these numbers, which
    /// are there.
    ///
    /// - Throws: as the other initialiser.
    package init(
        data: DataDirectory, name: String, topics: [Topic], partitions: [Int]?,
        outputs: [Topic] = [], cores: [Int]? = nil, coreSharing: CoreSharing = .refused,
        assignor: Assignor = .sticky, isExclusive: Bool = false,
        options: MemberOptions = MemberOptions()
    ) throws(GroupError) {
        try GroupCatalog.validate(name)
        if let instance = options.instance, !Names.isValid(instance) {
            throw .invalidInstance(instance)
        }
        guard !topics.isEmpty else { throw .noTopics(name) }
        let root = "\(data.path)/groups"
        choice = try CoreChoice(cores, group: name, root: root, sharing: coreSharing)
        try choice.check()
        self.name = name
        self.options = options
        self.partitions = partitions
        self.topics = Dictionary(topics.map { ($0.name, $0) }) { first, _ in first }
        subscription = GroupState.Subscription(
            assignor: assignor, isExclusive: isExclusive,
            topics: self.topics.keys.sorted(), outputs: Set(outputs.map(\.name)).sorted())
        session = try GroupSession(root: root, group: name, create: true)
        members = Lock([])
        try join(above: Self.newestGeneration(of: self, in: outputs))
    }

    deinit {
        // Who cannot say that it leaves is found dead: its locks go with it.
        do throws(GroupError) { try session.leave(members.withLock { $0.map(\.key) }) } catch {}
    }

    private struct Member {
        let number: Int
        let key: UInt32
    }

    /// The highest generation in what a group whose files are new wrote before they were lost.
    private static func newestGeneration(
        of group: ConsumerGroup, in outputs: [Topic]
    ) throws(GroupError) -> UInt32 {
        let state = try group.session.state().state
        guard state.generation == 0 else { return 0 }
        var newest: UInt32 = 0
        do throws(LogError) {
            for output in outputs {
                for topic in group.topics.values {
                    for partition in 0..<min(output.partitions, topic.partitions) {
                        let last = try output.lastOrigin(
                            partition: partition, source: topic.reference,
                            sourcePartition: partition, group: "group:" + group.name)
                        newest = max(newest, last?.origin.generation ?? 0)
                    }
                }
            }
        } catch {
            throw .log(group.name, error)
        }
        return newest
    }

    private func join(above floor: UInt32 = 0) throws(GroupError) {
        let candidates = try session.candidates(
            cores: cores, instance: options.instance, options: options)
        let shapes = topics.values.sorted { $0.name < $1.name }.map {
            GroupState.TopicShape(
                name: $0.name, id: $0.id, partitions: partitions ?? Array(0..<$0.partitions))
        }
        let keys = try choice.claim { () throws(GroupError) in
            try session.join(candidates, subscription, shapes, above: floor)
        } leave: { (keys) throws(GroupError) in
            try session.leave(keys)
        }
        members.withLock {
            $0 = zip(candidates, keys).map { Member(number: $0.number, key: $1) }
        }
    }

    /// Consumers of other groups on the cores of this one, as it is now.
    ///
    /// - Throws: `GroupError.system`.
    public func sharedCores() throws(GroupError) -> [CoreUse] {
        try GroupCatalog.coreUses(below: choice.root).map(\.use).filter {
            $0.group != name && cores.contains($0.core)
        }
    }

    /// The group's generation: grows with every change of its members or of who owns what.
    ///
    /// - Throws: `GroupError` with `corrupt` or `system`.
    public func generation() throws(GroupError) -> UInt32 { try session.state().state.generation }

    /// The offset to read next in a partition; nil when the group has committed none.
    ///
    /// - Throws: `GroupError` with `corrupt` or `system`.
    public func committed(_ partition: TopicPartition) throws(GroupError) -> UInt64? {
        try session.files.read().state.partitions
            .first { $0.partition == partition }?.committed
    }

    /// Makes all commits so far durable.
    ///
    /// - Throws: `GroupError.system`.
    public func sync() throws(GroupError) { try session.files.sync() }

    /// Asks every consumer to finish its batch, commit it, hand its partitions over and end.
    ///
    /// Returns at once; `run` and the functions that consume return when it is done.
    public func drain() { stopFlag.store(true, ordering: .relaxed) }

    /// Whether `drain` was called.
    public var isDraining: Bool { stopFlag.load(ordering: .relaxed) }

    /// Stops reading partitions until `resume`; they stay owned, and the rest goes on.
    public func pause(_ partitions: some Sequence<TopicPartition>) { paused.add(partitions) }

    /// Goes on with partitions that were paused.
    public func resume(_ partitions: some Sequence<TopicPartition>) { paused.remove(partitions) }

    /// Runs `body` once for each core, on a thread bound to it, and waits for all of them.
    ///
    /// When a body ends, its partitions are handed over to those that are left. Afterwards the
    /// process is not in the group any more; the next `run` joins again.
    /// - Throws: the first error that a body threw; `GroupError.inUse` while the group is run
    ///   already.
    public func run(_ body: @escaping @Sendable (GroupConsumer) throws -> Void) throws {
        guard !isRunning.exchange(true, ordering: .acquiring) else {
            let ourselves = Int(session.process.pid)
            throw GroupError.inUse(name, path: session.files.directory, holder: ourselves)
        }
        defer { isRunning.store(false, ordering: .releasing) }
        if members.withLock({ $0.isEmpty }) { try join() }
        let joined = members.withLock { members in
            defer { members = [] }
            return members
        }
        let failure = Failure()
        let watch = try watch(failure)
        defer { watch.stop() }
        let threads = try joined.enumerated().map { index, member in
            try PinnedThread(name: "\(name)/\(index)", core: cores[index]) {
                let consumer = GroupConsumer(
                    self.session, index: index, core: self.cores[index],
                    number: member.number, key: member.key, options: self.options)
                do { try body(consumer) } catch { failure.note(error) }
                do { try consumer.leave() } catch { failure.note(error) }
            }
        }
        for thread in threads { thread.join() }
        if let error = failure.first { throw error }
    }

    /// Waits until nobody runs the group in this process.
    func waitUntilIdle() {
        while isRunning.load(ordering: .acquiring) { PinnedThread.sleep(nanoseconds: 500_000) }
    }

    /// Looks after the other members until stopped.
    private func watch(_ failure: Failure) throws -> WatchThread {
        try WatchThread(session) { error in
            failure.note(error)
            self.drain()
        }
    }
}

/// The first error of several threads.
private final class Failure: Sendable {
    private let error = Lock<(any Error)?>(nil)

    var first: (any Error)? { error.withLock { $0 } }
    func note(_ found: any Error) { error.withLock { if $0 == nil { $0 = found } } }
}
