internal import MillraceSystem

/// One process's part in a group: it reads the state and changes it, for its members or for nobody.
///
/// **Thread-safety**: any thread may call anything.
final class GroupSession: Sendable {
    let files: GroupFiles
    /// This process.
    let process: ProcessIdentity
    /// The member number whose records are ours to write.
    private let number: Int
    private let known: Lock<Known>
    private let roster: Lock<Roster>

    /// What the session knows of the group.
    private struct Known {
        var word: UInt64
        var state: GroupState
    }

    /// What the session holds in the group.
    private struct Roster {
        /// Member numbers.
        var numbers: [Int]
        /// Names of the session's members and candidates.
        var names: Set<MemberID> = []
        /// What a name ends in, so that no two of the process are alike.
        var count = 0
    }

    /// Opens a group, which is made where it is not there and `create` says so; joins nobody.
    ///
    /// - Throws: `GroupError` with `invalidName`, `noSuchGroup`, `tooManyMembers`, `corrupt`,
    ///   `unsupportedVersion` or `system`.
    init(root: String, group: String, create: Bool) throws(GroupError) {
        let files = try GroupFiles(root: root, group: group, create: create)
        process = try systemCall(group) { () throws(SystemError) in try .current() }
        number = try files.takeNumber()
        roster = Lock(Roster(numbers: [number]))
        self.files = files
        let (word, state) = try files.read()
        known = Lock(Known(word: word, state: state))
        try restartAfterBoot()
    }

    deinit { roster.withLock { for number in $0.numbers { files.giveBack(number) } } }

    /// Whether the state is another than the one that `word` stands for: one load.
    @inline(__always)
    func hasChanged(since word: UInt64) -> Bool {
        files.page.word(at: GroupPage.currentByte) != word
    }

    /// The state now, and the word that stands for it.
    func state() throws(GroupError) -> (word: UInt64, state: GroupState) {
        try known.withLock { known throws(GroupError) in
            if hasChanged(since: known.word) { (known.word, known.state) = try files.read() }
            return (known.word, known.state)
        }
    }

    /// The members' numbers and names, one for each core, for who wants to join.
    func candidates(
        cores: [Int], instance: String?, options: MemberOptions
    ) throws(GroupError) -> [GroupState.Candidate] {
        try roster.withLock { roster throws(GroupError) in
            while roster.numbers.count < cores.count {
                roster.numbers.append(try files.takeNumber())
            }
            return cores.enumerated().map { index, core in
                candidate(
                    &roster, number: roster.numbers[index], core: core,
                    instance: instance.map { "\($0)-\(index)" }, options)
            }
        }
    }

    private func candidate(
        _ roster: inout Roster, number: Int, core: Int, instance: String?,
        _ options: MemberOptions
    ) -> GroupState.Candidate {
        roster.count += 1
        let id = MemberID(
            instance ?? "\(process.pid).\(process.startTime).\(number).\(roster.count)")
        // Before it joins: who sees it must know that it is ours and lives.
        roster.names.insert(id)
        return GroupState.Candidate(
            number: number, id: id, process: process, core: core, isStatic: instance != nil,
            graceNanoseconds: options.graceNanoseconds,
            hangNanoseconds: options.hangNanoseconds)
    }

    /// Joins, after taking out who is dead; returns the members' keys.
    ///
    /// - Parameter floor: The highest generation that was found in what the group wrote elsewhere;
    ///   the group's own files may have been lost.
    /// - Throws: `GroupError` with `inUse`, `otherSubscription`, `instanceInUse`, `tooManyMembers`,
    ///   `tooManyPartitions`, `corrupt` or `system`.
    func join(
        _ candidates: [GroupState.Candidate], _ subscription: GroupState.Subscription,
        _ topics: [GroupState.TopicShape], above floor: UInt32 = 0
    ) throws(GroupError) -> [UInt32] {
        try change(isDurable: true) { state throws(GroupError) in
            state.observe(
                dead: try self.dead(in: state), hung: [], now: Clock.monotonicNanoseconds())
            state.generation = max(state.generation, floor)
            do throws(GroupState.Refusal) {
                return try state.join(candidates, subscription, topics)
            } catch {
                throw .refused(error, group: self.files.group, lock: self.files.directory)
            }
        }
    }

    /// Joins again, in place of a member that was taken for hung; its key.
    func rejoin(
        number: Int, core: Int, instance: String?, options: MemberOptions
    ) throws(GroupError) -> UInt32 {
        let candidate = roster.withLock {
            self.candidate(&$0, number: number, core: core, instance: instance, options)
        }
        let (_, state) = try state()
        let topics = state.subscription.topics.map { name in
            let partitions = state.partitions.filter { $0.partition.topic == name && $0.isRead }
            return GroupState.TopicShape(
                name: name, id: partitions.first?.topicID ?? 0,
                partitions: partitions.map(\.partition.partition))
        }
        return try join([candidate], state.subscription, topics)[0]
    }

    /// Leaves with members that have stopped work.
    func leave(_ keys: [UInt32]) throws(GroupError) {
        try change(isDurable: true) { state in
            state.leave(keys, now: Clock.monotonicNanoseconds())
        }
    }

    /// Changes the state: `body` is repeated on the newest one until nobody was faster.
    ///
    /// - Throws: what `body` throws, nothing being changed then; `corrupt`, `outOfGenerations` or
    ///   `system`.
    @discardableResult
    func change<R>(
        isDurable: Bool = false, _ body: (inout GroupState) throws(GroupError) -> R
    ) throws(GroupError) -> R {
        try known.withLock { known throws(GroupError) in
            while true {
                (known.word, known.state) = try files.read()
                var next = known.state
                let result = try body(&next)
                if next == known.state { return result }
                let word = try files.publish(
                    next, over: known.word, number: number, isDurable: isDurable)
                guard let word else { continue }
                (known.word, known.state) = (word, next)
                return result
            }
        }
    }

    /// Takes everybody out when the machine was restarted since the state was changed last.
    private func restartAfterBoot() throws(GroupError) {
        guard try files.isOfEarlierBoot() else { return }
        try change(isDurable: true) { state throws(GroupError) in
            guard try self.files.isOfEarlierBoot() else { return }
            state.restart(floor: try self.files.generationCeiling())
        }
        try files.markBoot()
    }

    // MARK: The living and the dead

    /// Keys of the members whose process is gone.
    func dead(in state: GroupState) throws(GroupError) -> [UInt32] {
        var keys: [UInt32] = []
        for member in state.members where !member.isAway {
            if try isDead(member) { keys.append(member.key) }
        }
        return keys
    }

    /// Whether the kernel says that a member is gone.
    func isDead(_ member: GroupState.Member) throws(GroupError) -> Bool {
        if member.process == process, roster.withLock({ $0.names.contains(member.id) }) {
            return false
        }
        return try files.isGone(member, seenFrom: process.namespace)
    }
}
