internal import MillraceSystem

/// What pruning a model has done.
public struct Pruning: Sendable, Equatable, Codable {
    /// An old version that stays, and why.
    public struct Kept: Sendable, Equatable, Codable {
        /// The version.
        public let version: Int
        /// The aliases that name it; empty for a version that somebody uses.
        public let aliases: [String]

        package init(version: Int, aliases: [String]) {
            self.version = version
            self.aliases = aliases
        }
    }

    /// The versions that were removed, ascending.
    public let removed: [Int]
    /// The versions older than those to keep that stay all the same, ascending.
    public let kept: [Kept]

    package init(removed: [Int], kept: [Kept]) {
        self.removed = removed
        self.kept = kept
    }
}

extension ModelRepository {
    /// Removes old versions of a model: all but the newest `count`, at least one, those that an
    /// alias names, and those that somebody uses who has loaded them, here or in another process.
    ///
    /// A version is renamed, durably, before it is removed: after a crash it is there as a whole or
    /// not at all. Its number is not given again.
    ///
    /// - Throws: `RepositoryError` with `invalidName`, `notFound`, `busy` or `storage`, or what
    ///   `resolve` throws for a damaged table of aliases; nothing is removed then that is not
    /// whole.
    /// - Complexity: O(versions) calls of the kernel.
    @discardableResult
    public func prune(_ name: String, keeping count: Int) throws(RepositoryError) -> Pruning {
        _ = try version(of: ModelReference(name))
        let directory = try directory(of: name)
        let lock = try lock(directory)
        let aliases = try aliases(of: name)
        var removed: [Int] = []
        var kept: [Pruning.Kept] = []
        for version in try versions(of: name).dropLast(max(count, 1)) {
            let names = aliases.names(of: version)
            if names.isEmpty, try remove(version, from: directory) {
                removed.append(version)
            } else {
                kept.append(Pruning.Kept(version: version, aliases: names))
            }
        }
        do { try removeLeftovers(in: directory) } catch { throw RepositoryError(error) }
        _ = consume lock
        return Pruning(removed: removed, kept: kept)
    }

    /// Takes a version away unless somebody holds it.
    private func remove(_ version: Int, from directory: String) throws(RepositoryError) -> Bool {
        do {
            let path = "\(directory)/\(version)"
            let manifest = try FileHandle("\(path)/\(Self.manifestName)", .readWrite)
            // Held until it is gone: who opens it meanwhile does not get it.
            guard try manifest.tryLock(byte: VersionHold.byte) else { return false }
            let temporary = "\(directory)/\(Self.temporaryPrefix)\(version)"
            try Files.removeTree(temporary)
            try Files.renameDurably(path, temporary)
            try Files.removeTree(temporary)
            return true
        } catch { throw RepositoryError(error) }
    }

    /// Removes what was left behind by publishers and pruners that died; the lock must be held.
    func removeLeftovers(in directory: String) throws(SystemError) {
        for name in try Files.list(directory)
        where name.hasPrefix(".") && name.contains(Self.temporaryPrefix) {
            try Files.removeTree("\(directory)/\(name)")
        }
    }
}
