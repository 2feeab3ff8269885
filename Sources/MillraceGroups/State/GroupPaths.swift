internal import Glibc
internal import MillraceSystem

/// Where the files of a group are.
struct GroupPaths {
    /// How often, and how long apart in microseconds, a lock is asked for: one who asks whether the
    /// group is in use holds the lock for a moment and must not be taken for an owner, nor must a
    /// child of the last owner between its fork and its exec.
    private static let attempts = 5
    private static let pauseMicroseconds: UInt32 = 2_000

    let group: String
    let directory: String

    /// - Throws: `GroupError.invalidName`.
    init(root: String, group: String) throws(GroupError) {
        guard Names.isValid(group) else { throw .invalidName(group) }
        self.group = group
        directory = "\(root)/\(group)"
    }

    var lock: String { "\(directory)/lock" }
    var generation: String { "\(directory)/generation" }
    var offsets: String { "\(directory)/offsets" }

    /// Takes the group's lock.
    ///
    /// - Throws: `GroupError` with `inUse` or `system`.
    func acquireLock() throws(GroupError) -> FileLock {
        do throws(SystemError) {
            for attempt in 1...Self.attempts {
                if let lock = try FileLock.acquire(lock) { return lock }
                if attempt < Self.attempts { usleep(Self.pauseMicroseconds) }
            }
        } catch {
            throw .system(error, group: group)
        }
        throw .inUse(group, path: lock, holder: holder())
    }

    /// Whether somebody holds the group's lock.
    ///
    /// - Throws: `GroupError.system`.
    func isLocked() throws(GroupError) -> Bool {
        do throws(SystemError) {
            let file = try FileHandle(lock, .readWrite)
            for attempt in 1...Self.attempts {
                if try file.tryLock(byte: 0) { return false }
                if attempt < Self.attempts { usleep(Self.pauseMicroseconds) }
            }
            return true
        } catch {
            if error.isNotFound { return false }
            throw .system(error, group: group)
        }
    }

    /// The process that wrote its number into the lock file; nil when the file does not tell.
    func holder() -> Int? {
        do throws(SystemError) { return try FileLock.holder(lock) } catch { return nil }
    }

    /// Removes files that were being written when their writer died.
    ///
    /// - Throws: `GroupError.system`.
    func removeTemporaries() throws(GroupError) {
        do throws(SystemError) {
            for name in try Files.list(directory)
            where name.hasPrefix("offsets.tmp-") || name.hasPrefix("generation.tmp-") {
                try Files.remove("\(directory)/\(name)")
            }
        } catch {
            throw .system(error, group: group)
        }
    }
}
