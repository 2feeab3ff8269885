internal import MillraceSystem

/// The cores of a group's consumers in this process, and who else may have consumers there.
struct CoreChoice: Sendable {
    /// How often two groups that take one core at the same moment try again.
    private static let attempts = 20

    let group: String
    /// The directory of all groups.
    let root: String
    let sharing: CoreSharing
    /// Whether the caller has named the cores.
    let isNamed: Bool
    let cores: [Int]

    /// Checks the cores that are named, or chooses from those that nobody uses.
    ///
    /// Where the cores are not named and none is free, all that the process may use are chosen:
    /// `ConsumerGroup.sharedCores` tells.
    /// - Throws: `GroupError` with `invalidCoreList`, `noSuchCore`, `coreNotAllowed` or `system`.
    init(
        _ named: [Int]?, group: String, root: String, sharing: CoreSharing
    ) throws(GroupError) {
        self.group = group
        self.root = root
        self.sharing = sharing
        isNamed = named != nil
        if let named {
            cores = try CoreList(named).cores
            return
        }
        let taken = try Self.others(than: group, root, sharing).map(\.core)
        cores = CoreList(automaticOn: .current(), avoiding: taken).cores
    }

    /// Who uses which cores that the group is not to share with them.
    private static func others(
        than group: String, _ root: String, _ sharing: CoreSharing
    ) throws(GroupError) -> [CoreUse] {
        guard sharing != .allowed else { return [] }
        let ours = try systemCall(group) { () throws(SystemError) in
            try ProcessIdentity.current()
        }
        return try GroupCatalog.coreUses(below: root).filter {
            $0.use.group != group && (sharing == .refused || $0.process != ours)
        }.map(\.use)
    }

    /// Refuses cores that were named and are another group's.
    ///
    /// - Throws: `GroupError` with `coreInUse` or `system`.
    func check() throws(GroupError) {
        if let conflict = try conflict() { throw .coreInUse(conflict, group: group) }
    }

    private func conflict() throws(GroupError) -> CoreUse? {
        guard isNamed else { return nil }
        return try Self.others(than: group, root, sharing).first { cores.contains($0.core) }
    }

    /// Joins, and makes sure that no other group has taken a core at the same moment.
    ///
    /// Each sees the other then, leaves, and tries again a little later.
    /// - Throws: what `join` and `leave` throw, `coreInUse` or `system`.
    func claim<Joined>(
        _ join: () throws(GroupError) -> Joined, leave: (Joined) throws(GroupError) -> Void
    ) throws(GroupError) -> Joined {
        for attempt in 1... {
            try check()
            let joined = try join()
            guard let conflict = try conflict() else { return joined }
            try leave(joined)
            if attempt == Self.attempts { throw .coreInUse(conflict, group: group) }
            PinnedThread.sleep(nanoseconds: Int64.random(in: 1_000_000...20_000_000))
        }
        preconditionFailure("the loop ends by a result or an error")
    }
}
