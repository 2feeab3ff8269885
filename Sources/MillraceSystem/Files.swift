internal import Glibc

/// Whole-file operations, and those whose result must survive a loss of power.
package enum Files {
    /// The whole content of a file of at most `maxBytes`.
    ///
    /// - Throws: `SystemError` with `EFBIG` when the file is larger.
    package static func read(_ path: String, maxBytes: Int) throws(SystemError) -> [UInt8] {
        let file = try FileHandle(path, .read)
        let size = try file.size()
        guard size <= maxBytes else {
            throw SystemError(operation: "read", path: path, errno: EFBIG)
        }
        var bytes = [UInt8](repeating: 0, count: size)
        let count = try file.read(into: &bytes, at: 0)
        bytes.removeSubrange(count...)
        return bytes
    }

    /// What a path leads to.
    package enum Kind: Sendable {
        case regular
        case directory
        /// A pipe, a device, a socket; a symbolic link that is not followed.
        case other
    }

    /// What is at `path`, symbolic links followed unless said otherwise; nil when nothing is.
    ///
    /// - Throws: `SystemError` when that cannot be told, as when the disk fails.
    package static func kind(
        of path: String, followingLinks: Bool = true
    ) throws(SystemError) -> Kind? {
        do {
            switch try Syscalls.type(of: path, followingLinks: followingLinks) {
            case S_IFREG: return .regular
            case S_IFDIR: return .directory
            default: return .other
            }
        } catch {
            if error.isNotFound { return nil }
            throw error
        }
    }

    /// Whether something is there.
    ///
    /// - Throws: `SystemError` when that cannot be told.
    package static func isThere(_ path: String) throws(SystemError) -> Bool {
        try kind(of: path) != nil
    }

    /// Whether something is there; false also when that cannot be told.
    package static func exists(_ path: String) -> Bool { knownKind(of: path) != nil }

    /// Whether a directory is there; false also when that cannot be told.
    package static func isDirectory(_ path: String) -> Bool { knownKind(of: path) == .directory }

    /// Whether this is a plain file: not a directory, pipe or device.
    package static func isRegular(_ path: String) -> Bool { knownKind(of: path) == .regular }

    private static func knownKind(of path: String) -> Kind? {
        do throws(SystemError) { return try kind(of: path) } catch { return nil }
    }

    package static func size(_ path: String) throws(SystemError) -> Int {
        try FileHandle(path, .read).size()
    }

    /// Creates a directory and those above it, durably; no error when it is there already.
    ///
    /// Of one that is there the name is synced, too: who made it may have died before that.
    package static func createDirectory(_ path: String) throws(SystemError) {
        let above = parent(of: path)
        if try kind(of: path) == .directory {
            do { try syncDirectory(above) } catch {
                // The way to a directory need not be readable for who may use the directory.
                guard error.errno == EACCES else { throw error }
            }
            return
        }
        if above != path { try createDirectory(above) }
        do {
            try Syscalls.makeDirectory(path)
        } catch {
            guard error.errno == EEXIST, try kind(of: path) == .directory else { throw error }
        }
        try syncDirectory(above)
    }

    /// Replaces or creates a file so that after a crash either the old or the new content is there.
    ///
    /// When it throws, either the old or the new content is there, too, and no temporary is left
    /// behind unless removing that fails as well.
    package static func writeDurably(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
        let temporary = "\(path).tmp-\(getpid())-\(Clock.monotonicNanoseconds())"
        do throws(SystemError) {
            let file = try FileHandle(temporary, .createNew)
            try file.write(bytes, at: 0)
            try file.sync()
            try Syscalls.rename(temporary, path)
        } catch {
            // The first error is the one to report.
            do { try Syscalls.unlink(temporary) } catch {}
            throw error
        }
        try syncDirectory(parent(of: path))
    }

    /// Puts a file of these bytes in the place of what is there, so that readers see one or the
    /// other; it is not synced, and after a loss of power may be neither.
    package static func replace(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
        let new = path + ".new"
        let handle = try FileHandle(new, .openOrCreate)
        try handle.write(bytes, at: 0)
        try handle.truncate(to: bytes.count)
        try Syscalls.rename(new, path)
    }

    /// Makes a file, unless there is one of that name; returns whether it did.
    ///
    /// It is whole and on the disk when it is there at all; its name is not synced.
    package static func writeOnce(_ path: String, _ bytes: [UInt8]) throws(SystemError) -> Bool {
        let temporary = "\(path).tmp-\(getpid())-\(Clock.monotonicNanoseconds())"
        do throws(SystemError) {
            let file = try FileHandle(temporary, .createNew)
            try file.write(bytes, at: 0)
            try file.sync()
            try Syscalls.renameNew(temporary, path)
            return true
        } catch {
            // The first error is the one to report.
            do { try Syscalls.unlink(temporary) } catch {}
            guard error.errno == EEXIST else { throw error }
            return false
        }
    }

    /// Renames, replacing what is there, and makes the change durable.
    package static func renameDurably(_ from: String, _ to: String) throws(SystemError) {
        try Syscalls.rename(from, to)
        try syncDirectory(parent(of: to))
        if parent(of: from) != parent(of: to) { try syncDirectory(parent(of: from)) }
    }

    /// The names in a directory, sorted, without `.` and `..`.
    package static func list(_ directory: String) throws(SystemError) -> [String] {
        try Syscalls.list(directory).sorted()
    }

    package static func remove(_ path: String) throws(SystemError) { try Syscalls.unlink(path) }

    /// Removes a file, or a directory and everything below it; others may do so at the same time.
    ///
    /// A symbolic link is removed; what it leads to stays.
    package static func removeTree(_ path: String) throws(SystemError) {
        do throws(SystemError) {
            guard try kind(of: path, followingLinks: false) == .directory else {
                return try remove(path)
            }
            for name in try list(path) { try removeTree(path + "/" + name) }
            try Syscalls.removeDirectory(path)
        } catch {
            guard error.isNotFound else { throw error }
        }
    }

    /// Makes the names in a directory durable.
    package static func syncDirectory(_ path: String) throws(SystemError) {
        let descriptor = try Syscalls.open(path, flags: O_RDONLY | O_DIRECTORY)
        defer { Syscalls.close(descriptor) }
        try Syscalls.syncAll(descriptor, path)
    }

    /// `path` without what says nothing: `.` on the way, and slashes next to each other.
    ///
    /// `..` stays, since what it means depends on links.
    package static func normalized(_ path: String) -> String {
        let parts = path.split(separator: "/").filter { $0 != "." }
        return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    }

    /// The directory that holds `path`.
    package static func parent(of path: String) -> String {
        let trimmed = path.hasSuffix("/") && path.count > 1 ? String(path.dropLast()) : path
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }
}
