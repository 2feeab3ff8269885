public import MillraceLog
internal import MillraceSystem

/// The consumer groups of a data directory, in `DATA/groups`.
///
/// **Thread-safety**: any thread and any process may call anything.
public struct GroupCatalog: Sendable {
    let data: DataDirectory
    var root: String { "\(data.path)/groups" }

    /// The groups in a data directory; nothing is read or made yet.
    public init(_ data: DataDirectory) { self.data = data }

    /// Checks a group's name: `[a-zA-Z0-9._-]{1,249}`, and neither `.` nor `..`.
    ///
    /// - Throws: `GroupError.invalidName`.
    public static func validate(_ group: String) throws(GroupError) {
        guard Names.isValid(group) else { throw .invalidName(group) }
    }

    /// The names of all groups, ascending.
    ///
    /// - Throws: `GroupError` with `corrupt` or `system`.
    public func names() throws(GroupError) -> [String] {
        let found: [String]
        do throws(SystemError) {
            guard try Files.isThere(root) else { return [] }
            found = try Files.list(root).filter { Names.isValid($0) }
        } catch {
            throw .system(error)
        }
        var names: [String] = []
        for name in found where Files.exists("\(root)/\(name)/page") {
            let files = try GroupFiles(root: root, group: name, create: false)
            if try files.read().state.exists { names.append(name) }
        }
        return names
    }

    /// Where a group is, who is in it and what it has committed.
    ///
    /// - Throws: `GroupError` with `invalidName`, `noSuchGroup`, `corrupt`, `unsupportedVersion`,
    ///   `log` or `system`.
    public func describe(_ group: String) throws(GroupError) -> GroupDescription {
        let files = try GroupFiles(root: root, group: group, create: false)
        let state = try files.read().state
        guard state.exists else { throw .noSuchGroup(group, path: files.directory) }
        var present: [UInt32: GroupDescription.Member] = [:]
        var members: [GroupDescription.Member] = []
        let namespace = try systemCall(group) { () throws(SystemError) in
            try ProcessIdentity.ownNamespace()
        }
        for member in state.members {
            // One that has just died is not there any more, whether the others know it or not.
            let isHere = try !files.isGone(member, seenFrom: namespace)
            // One that has died is not waited for, but for an instance that has still time.
            let isOverdue = member.isAway && member.awayUntil <= Clock.monotonicNanoseconds()
            guard isHere || member.isStatic && !isOverdue else { continue }
            let described = GroupDescription.Member(
                id: member.id, process: Int(member.process.pid), core: member.core,
                isInstance: member.isStatic, isPresent: isHere)
            members.append(described)
            if isHere { present[member.key] = described }
        }
        var topics: [String: Topic] = [:]
        for name in Set(state.partitions.map(\.partition.topic)) { topics[name] = try topic(name) }
        var partitions: [GroupDescription.Partition] = []
        for partition in state.partitions {
            let topic = topics[partition.partition.topic]
            partitions.append(
                try describe(partition, topic, present[partition.owner], group))
        }
        let isStable = state.isSettled && present.count == state.members.count
        return GroupDescription(
            name: group, state: present.isEmpty ? .empty : isStable ? .stable : .rebalancing,
            generation: state.generation, assignor: state.subscription.assignor,
            members: members.sorted { $0.id < $1.id },
            partitions: partitions.sorted { $0.partition < $1.partition })
    }

    private func describe(
        _ partition: GroupState.Partition, _ topic: Topic?, _ owner: GroupDescription.Member?,
        _ group: String
    ) throws(GroupError) -> GroupDescription.Partition {
        let number = partition.partition.partition
        var end: UInt64?
        var lag: UInt64?
        if let topic, topic.id == partition.topicID, number < topic.partitions {
            do throws(LogError) {
                let last = try topic.endOffset(partition: number)
                let first = try topic.startOffset(partition: number)
                end = last
                lag = last - min(last, max(partition.committed ?? first, first))
            } catch {
                throw .log(group, error)
            }
        }
        return GroupDescription.Partition(
            partition: partition.partition, committed: partition.committed, end: end, lag: lag,
            owner: owner, generation: partition.generation)
    }

    /// A topic; nil when there is none of that name.
    func topic(_ name: String) throws(GroupError) -> Topic? {
        do throws(LogError) { return try data.topic(name) } catch {
            if error.code == .notFound { return nil }
            throw .log(name, error)
        }
    }

    /// Forgets what a group has committed.
    ///
    /// Its generation stays, so that a group made anew under the same name goes on counting and
    /// what the old one's members still try is refused. What a stage's outputs say of its progress
    /// stays, too: they are the truth for it.
    /// - Throws: `GroupError` with `invalidName`, `noSuchGroup`, `inUse`, `corrupt` or `system`.
    public func delete(_ group: String) throws(GroupError) {
        let session = try GroupSession(root: root, group: group, create: false)
        try session.change(isDurable: true) { state throws(GroupError) in
            try Self.settle(&state, session)
            state.delete()
        }
    }

    /// Takes out who is dead; nobody must be left, and the group must exist.
    static func settle(_ state: inout GroupState, _ session: GroupSession) throws(GroupError) {
        let group = session.files.group
        let directory = session.files.directory
        guard state.exists else { throw .noSuchGroup(group, path: directory) }
        state.observe(
            dead: try session.dead(in: state), hung: [], now: Clock.monotonicNanoseconds())
        if let member = state.members.first(where: { !$0.isAway }) {
            throw .inUse(group, path: directory, holder: Int(member.process.pid))
        }
    }
}
