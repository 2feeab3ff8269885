internal import MillraceSystem

/// One member of a group: what a thread owns, and the right to say how far it is.
///
/// A thread asks for `changes` between two batches, which costs one load while there are none, and
/// releases what it is asked to once it has finished with it; everything that it keeps goes on
/// undisturbed. **Thread-safety**: one owner.
public final class GroupConsumer {
    /// A partition that the consumer owns, from one grant on.
    public struct Claim: Sendable, Hashable {
        /// The partition.
        public let partition: TopicPartition
        /// The generation in which it was granted: nobody else ever has the partition in this one.
        public let generation: UInt32
        /// The offset to read next when the partition was granted; nil when none was committed.
        public let committed: UInt64?
        /// Whether an earlier owner was taken for hung and may still live.
        public let isContested: Bool
        let index: Int
    }

    /// What has changed for a consumer.
    public struct Changes: Sendable {
        /// What the consumer owns from now on.
        public internal(set) var granted: [Claim] = []
        /// What others are to own: to be finished with, committed and given to `release` before
        /// changes are asked for again.
        public internal(set) var revoked: [Claim] = []
        /// What others own already, since this member was taken for hung: nothing that it does
        /// there is accepted.
        public internal(set) var lost: [Claim] = []

        var isEmpty: Bool { granted.isEmpty && revoked.isEmpty && lost.isEmpty }
    }

    /// Place among the consumers of the process, from 0.
    public let index: Int
    /// The core that its thread is bound to.
    public let core: Int
    private let session: GroupSession
    private let number: Int
    private let options: MemberOptions
    private let instance: String?
    private var key: UInt32
    /// Stands for the state that was looked at last.
    private var word: UInt64 = 0
    /// What is owned, by the index of the partition.
    private var held: [Int: Claim] = [:]
    private var progress: UInt64 = 0
    /// What a commit of several partitions has replaced, by the index of the partition.
    private var superseded: [Int: GroupState.Tenure] = [:]

    init(
        _ session: GroupSession, index: Int, core: Int, number: Int, key: UInt32,
        options: MemberOptions
    ) {
        self.session = session
        self.index = index
        self.core = core
        self.number = number
        self.key = key
        self.options = options
        instance = options.instance.map { "\($0)-\(index)" }
    }

    /// What the consumer owns, in the order of the partitions.
    public var claims: [Claim] { held.values.sorted { $0.partition < $1.partition } }

    /// Says that the consumer is at work and has not come to a halt.
    ///
    /// `changes` says it too; needed only where a batch takes long.
    @inline(__always)
    public func tick() {
        progress += 1
        session.files.page.setProgress(number, progress)
    }

    /// Whether the group has changed in any way since `changes` was called: one load.
    public var mayHaveChanged: Bool { session.hasChanged(since: word) }

    /// What has changed since the last call; nil when nothing has.
    ///
    /// A consumer that was taken for hung has joined again when this returns.
    /// - Throws: `GroupError` with `corrupt`, `system`, or what `ConsumerGroup.init` throws when it
    ///   cannot join again.
    public func changes() throws(GroupError) -> Changes? {
        tick()
        guard session.hasChanged(since: word) else { return nil }
        let (seen, state) = try session.state()
        var changes = Changes()
        guard let me = state.member(key), !me.isAway else {
            changes.lost = claims
            held = [:]
            key = try session.rejoin(
                number: number, core: core, instance: instance, options: options)
            word = 0
            return changes
        }
        for claim in claims {
            let partition = state.partitions[claim.index]
            if partition.owner != key || partition.generation != claim.generation {
                changes.lost.append(claim)
                held[claim.index] = nil
            } else if partition.target != key {
                changes.revoked.append(claim)
            }
        }
        var unwanted: [Claim] = []
        for index in state.owned(by: key) where held[index] == nil {
            guard let claim = try activate(index, state.partitions[index]) else { continue }
            held[index] = claim
            if state.partitions[index].target == key {
                changes.granted.append(claim)
            } else {
                unwanted.append(claim)
            }
        }
        word = seen
        // Asked for again before it was begun with.
        if !unwanted.isEmpty { try release(unwanted) }
        return changes.isEmpty ? nil : changes
    }

    /// Becomes the one whose commits are taken; nil when a later owner is already.
    private func activate(
        _ index: Int, _ partition: GroupState.Partition
    ) throws(GroupError) -> Claim? {
        let files = session.files
        while true {
            let tenure = try files.page.tenure(index, files.group)
            guard tenure.generation < partition.generation else { return nil }
            let next = partition.committed(given: tenure)
            let ours = GroupPage.Tenure(generation: partition.generation, next: next)
            if files.page.replace(index, tenure, by: ours) {
                return Claim(
                    partition: partition.partition, generation: partition.generation,
                    committed: next, isContested: partition.isContested, index: index)
            }
        }
    }

    /// Gives partitions back, for those that are to own them; what was lost is left alone.
    ///
    /// - Throws: `GroupError` with `corrupt` or `system`.
    public func release(_ claims: [Claim]) throws(GroupError) {
        for claim in claims where held[claim.index] == claim { held[claim.index] = nil }
        let key = key
        try session.change { state in
            state.release(
                claims.map { (index: $0.index, generation: $0.generation) }, by: key)
        }
    }

    /// Records that everything before `next` has been consumed: one store into the group's page.
    ///
    /// It survives the death of the process, and within a second loss of power; `ConsumerGroup.sync`
    /// does not wait for that.
    /// - Throws: `GroupError` with `fenced` when the partition is another's by now, whatever was
    ///   checked before; nothing is changed then.
    public func commit(_ claim: Claim, next: UInt64) throws(GroupError) {
        let files = session.files
        let mark = GroupPage.Tenure(generation: claim.generation, next: next)
        if !superseded.isEmpty, superseded[claim.index] == mark {
            // Back to where the record says that it does not count any more.
            return try commit([claim: next])
        }
        while true {
            let tenure = try files.page.tenure(claim.index, files.group)
            guard tenure.generation == claim.generation else {
                throw .fenced(
                    files.group, generation: claim.generation, current: tenure.generation)
            }
            if files.page.replace(claim.index, tenure, by: mark) { return }
        }
    }

    /// Records how far several partitions have been consumed, in one step: all or nothing.
    ///
    /// One record with a CRC-32C, on the disk when this returns: whenever the process dies or the
    /// power fails, everything is there or nothing. It costs two syncs of the disk; where the
    /// partitions may part, commit each by itself.
    ///
    /// - Parameter positions: For each partition the offset to read next.
    /// - Throws: `GroupError` with `fenced` when one of the partitions is another's by now, or
    ///   `corrupt`: nothing is changed then; `system`: it is there as a whole or not at all.
    public func commit(_ positions: [Claim: UInt64]) throws(GroupError) {
        let files = session.files
        // What the record replaces must not be older on the disk than the record says.
        try files.sync()
        let replaced = try session.change(isDurable: true) { state throws(GroupError) in
            var replaced: [Claim: GroupPage.Tenure] = [:]
            for (claim, next) in positions {
                let tenure = try files.page.tenure(claim.index, files.group)
                let partition = state.partitions[claim.index]
                guard partition.owner == self.key, partition.generation == claim.generation,
                    tenure.generation == claim.generation
                else {
                    throw .fenced(
                        files.group, generation: claim.generation,
                        current: max(tenure.generation, partition.generation))
                }
                state.partitions[claim.index].committed = next
                state.partitions[claim.index].superseded = tenure
                replaced[claim] = tenure
                self.superseded[claim.index] = tenure
            }
            return replaced
        }
        for (claim, tenure) in replaced {
            // The record counts until this is done. Where it fails, a later owner has taken over
            // what the record says.
            let now = GroupPage.Tenure(generation: claim.generation, next: positions[claim])
            _ = files.page.replace(claim.index, tenure, by: now)
        }
    }

    /// Whether every partition of the group has the owner that it is to have.
    ///
    /// - Throws: `GroupError` with `corrupt` or `system`.
    public func isSettled() throws(GroupError) -> Bool { try session.state().state.isSettled }

    /// Leaves the group, having stopped all work: the partitions are others' at once.
    func leave() throws(GroupError) {
        held = [:]
        try session.leave([key])
    }
}
