internal import MillraceSystem

/// The consumer groups of a data directory, in `DATA/groups`.
///
/// **Thread-safety**: any thread and any process may call anything.
public struct GroupCatalog: Sendable {
    private let root: String

    /// The groups below `dataDirectory`; nothing is read or made yet.
    public init(dataDirectory: String) { root = "\(dataDirectory)/groups" }

    /// Checks a group's name: `[a-zA-Z0-9._-]{1,249}`, and neither `.` nor `..`.
    ///
    /// - Throws: `GroupError.invalidName`.
    public static func validate(_ group: String) throws(GroupError) {
        guard Names.isValid(group) else { throw .invalidName(group) }
    }

    /// Takes a group over, which is made where it does not exist, and begins a new generation.
    ///
    /// - Parameters:
    ///   - group: The group's name.
    ///   - floor: The highest generation that the caller has seen in anything the group wrote
    ///     elsewhere; the new generation is above it too, in case the group's files were lost.
    /// - Throws: `GroupError` with `invalidName`, `inUse` (which names the holder's process),
    ///   `corrupt`, `unsupportedVersion`, `outOfGenerations` or `system`.
    public func open(
        _ group: String, above floor: UInt32 = 0
    ) throws(GroupError) -> GroupDirectory {
        try GroupDirectory(GroupPaths(root: root, group: group), above: floor)
    }

    /// The names of all groups, ascending.
    ///
    /// - Throws: `GroupError.system`.
    public func names() throws(GroupError) -> [String] {
        do throws(SystemError) {
            guard Files.exists(root) else { return [] }
            return try Files.list(root).filter {
                Names.isValid($0) && Files.exists("\(root)/\($0)/offsets")
            }
        } catch {
            throw .system(error)
        }
    }

    /// What a group has committed and who runs it, without taking it over.
    ///
    /// - Throws: `GroupError` with `invalidName`, `noSuchGroup`, `corrupt`, `unsupportedVersion` or
    ///   `system`.
    public func describe(_ group: String) throws(GroupError) -> GroupDescription {
        let paths = try existing(group)
        let isActive = try paths.isLocked()
        let contents = try readWhileWritten(paths)
        return GroupDescription(
            name: group,
            generation: max(
                try GenerationFile(path: paths.generation, group: group).read(),
                contents.newest.generation),
            isActive: isActive,
            holder: isActive ? paths.holder() : nil,
            committedAt: contents.newest.committedAt,
            offsets: CommittedOffset.all(in: contents.newest.entries),
            damagedSlots: contents.damagedSlots)
    }

    /// Forgets what a group has committed.
    ///
    /// Its generation stays on disk, so that a group made anew under the same name goes on counting
    /// and what the old one wrote elsewhere is never taken for the new one's.
    ///
    /// - Throws: `GroupError` with `invalidName`, `noSuchGroup`, `inUse` or `system`.
    public func delete(_ group: String) throws(GroupError) {
        let paths = try existing(group)
        let lock = try paths.acquireLock()
        try paths.removeTemporaries()
        do throws(SystemError) {
            try Files.remove(paths.offsets)
            try Files.syncDirectory(paths.directory)
        } catch {
            throw error.isNotFound
                ? .noSuchGroup(group, path: paths.offsets) : .system(error, group: group)
        }
        // The lock is held until here.
        _ = consume lock
    }

    private func existing(_ group: String) throws(GroupError) -> GroupPaths {
        let paths = try GroupPaths(root: root, group: group)
        guard Files.exists(paths.offsets) else {
            throw .noSuchGroup(group, path: paths.offsets)
        }
        return paths
    }

    /// Reads the offsets file, again where a commit that overtook the reading spoilt every slot.
    private func readWhileWritten(
        _ paths: GroupPaths
    ) throws(GroupError) -> OffsetFile.Contents {
        for _ in 1..<4 {
            do throws(GroupError) {
                return try OffsetFile.read(paths.offsets, group: paths.group)
            } catch {
                if error.code != .corrupt { throw error }
            }
        }
        return try OffsetFile.read(paths.offsets, group: paths.group)
    }
}
