internal import MillraceSystem

extension GroupCatalog {
    /// Which groups have living consumers on which cores, in the order of cores and groups.
    ///
    /// A group whose files are damaged is left out: it is nobody else's matter.
    /// - Throws: `GroupError.system`.
    public func coreUses() throws(GroupError) -> [CoreUse] {
        try Self.coreUses(below: root).map(\.use)
    }

    /// The same with the identities of the processes, of the groups in the directory `root`.
    static func coreUses(
        below root: String
    ) throws(GroupError) -> [(use: CoreUse, process: ProcessIdentity)] {
        let found: [String]
        let namespace: UInt64
        do throws(SystemError) {
            guard try Files.isThere(root) else { return [] }
            found = try Files.list(root).filter { Names.isValid($0) }
            namespace = try ProcessIdentity.ownNamespace()
        } catch {
            throw .system(error)
        }
        var uses: [(use: CoreUse, process: ProcessIdentity)] = []
        for name in found where Files.exists("\(root)/\(name)/page") {
            do throws(GroupError) {
                let files = try GroupFiles(root: root, group: name, create: false)
                for member in try files.read().state.members where member.core >= 0 {
                    if try files.isGone(member, seenFrom: namespace) { continue }
                    let use = CoreUse(
                        core: member.core, group: name, process: Int(member.process.pid))
                    uses.append((use, member.process))
                }
            } catch {
                continue
            }
        }
        return uses.sorted { ($0.use.core, $0.use.group) < ($1.use.core, $1.use.group) }
    }
}
