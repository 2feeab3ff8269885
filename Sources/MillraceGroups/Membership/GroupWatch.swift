internal import MillraceSystem

/// One process's look at the other members: who has died, who hangs, whom to wait for no longer.
///
/// Deaths come from the kernel, by a descriptor for each process, as they happen. A hang is a
/// progress word that stays the same for as long as the member allows, from its joining on: one
/// that is stopped before its first step owns partitions like any other.
/// **Thread-safety**: one owner.
struct GroupWatch {
    /// How often to look when nothing happens: a join and a hang are noticed by looking.
    private static let calmMilliseconds = 10
    /// The same while partitions change hands.
    private static let busyMilliseconds = 1

    private let session: GroupSession
    /// The processes of the other members; nil for one that the kernel cannot watch for us.
    private var handles: [ProcessIdentity: ProcessHandle?] = [:]
    private var gone: Set<ProcessIdentity> = []
    /// For each member its progress word, and for how long we have seen it the same.
    private var seen: [UInt32: (progress: UInt64, still: Int64)] = [:]
    private var lastLook = Clock.monotonicNanoseconds()
    /// The most that one look adds to the time that a member stood still: who was stopped itself,
    /// and the others with it, must not take them for hung when it wakes.
    private static let longestLook: Int64 = 100_000_000

    init(_ session: GroupSession) { self.session = session }

    /// Looks once, waiting for a death for a few milliseconds, and tells the group what was seen.
    mutating func look() throws(GroupError) {
        let (_, state) = try session.state()
        follow(state)
        wait(milliseconds: state.isSettled ? Self.calmMilliseconds : Self.busyMilliseconds)
        let now = Clock.monotonicNanoseconds()
        let dead = try dead(in: state)
        let hung = hung(in: state, now: now)
        let isOverdue = state.members.contains { $0.isAway && $0.awayUntil <= now }
        guard !dead.isEmpty || !hung.isEmpty || isOverdue else { return }
        try session.change { $0.observe(dead: dead, hung: hung, now: now) }
    }

    /// Watches the processes of the state's members and no others.
    private mutating func follow(_ state: GroupState) {
        let processes = Set(
            state.members.lazy.filter { !$0.isAway }.map(\.process)
                .filter { [session] in
                    $0 != session.process && $0.namespace == session.process.namespace
                })
        if Set(handles.keys).union(gone) != processes {
            handles = handles.filter { processes.contains($0.key) }
            gone.formIntersection(processes)
            for process in processes where handles[process] == nil { begin(process) }
        }
        let keys = Set(state.members.map(\.key))
        seen = seen.filter { keys.contains($0.key) }
    }

    private mutating func begin(_ process: ProcessIdentity) {
        do throws(SystemError) {
            if let handle = try ProcessHandle.open(process) {
                handles[process] = .some(handle)
            } else {
                gone.insert(process)
            }
        } catch {
            // Then its lock and its entry in /proc tell.
            handles.updateValue(nil, forKey: process)
        }
    }

    private mutating func wait(milliseconds: Int) {
        let watched = handles.compactMap { process, handle in handle.map { (process, $0) } }
        guard gone.isEmpty else { return }
        let died = ProcessHandle.wait(watched.map(\.1), milliseconds: milliseconds)
        for (index, isDead) in died.enumerated() where isDead {
            gone.insert(watched[index].0)
            handles[watched[index].0] = nil
        }
    }

    private func dead(in state: GroupState) throws(GroupError) -> [UInt32] {
        var keys: [UInt32] = []
        for member in state.members where !member.isAway {
            let isWatched = (handles[member.process] ?? nil) != nil
            if gone.contains(member.process) {
                keys.append(member.key)
            } else if !isWatched, try session.isDead(member) {
                keys.append(member.key)
            }
        }
        return keys
    }

    private mutating func hung(in state: GroupState, now: Int64) -> [UInt32] {
        let passed = min(now - lastLook, Self.longestLook)
        lastLook = now
        var keys: [UInt32] = []
        for member in state.members where !member.isAway && member.hangNanoseconds > 0 {
            let progress = session.files.page.progress(member.number)
            guard let last = seen[member.key], last.progress == progress else {
                seen[member.key] = (progress, 0)
                continue
            }
            seen[member.key] = (progress, last.still + passed)
            if last.still + passed > member.hangNanoseconds { keys.append(member.key) }
        }
        return keys
    }
}
