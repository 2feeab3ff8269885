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

    package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && (status.st_mode & S_IFMT) == S_IFDIR
    }

    /// Whether this is a plain file: not a directory, pipe or device.
    package static func isRegular(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && (status.st_mode & S_IFMT) == S_IFREG
    }

    package static func size(_ path: String) throws(SystemError) -> Int {
        try FileHandle(path, .read).size()
    }

    /// Creates a directory and those above it, durably; no error when it is there already.
    package static func createDirectory(_ path: String) throws(SystemError) {
        if isDirectory(path) { return }
        let above = parent(of: path)
        if above != path { try createDirectory(above) }
        do {
            try Syscalls.makeDirectory(path)
        } catch {
            if error.errno == EEXIST, isDirectory(path) { return }
            throw error
        }
        try syncDirectory(above)
    }

    /// Replaces or creates a file so that after a crash either the old or the new content is there.
    package static func writeDurably(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
        let temporary = "\(path).tmp-\(getpid())-\(Clock.monotonicNanoseconds())"
        do throws(SystemError) {
            let file = try FileHandle(temporary, .createNew)
            try file.write(bytes, at: 0)
            try file.sync()
        } catch {
            unsafe unlink(temporary)
            throw error
        }
        try renameDurably(temporary, path)
    }

    /// Renames, replacing what is there, and makes the change durable.
    package static func renameDurably(_ from: String, _ to: String) throws(SystemError) {
        try Syscalls.rename(from, to)
        try syncDirectory(parent(of: to))
        if parent(of: from) != parent(of: to) { try syncDirectory(parent(of: from)) }
    }

    /// The names in a directory, sorted, without `.` and `..`.
    package static func list(_ directory: String) throws(SystemError) -> [String] {
        guard let stream = unsafe opendir(directory) else {
            throw SystemError(operation: "opendir", path: directory, errno: errno)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            Glibc.errno = 0
            guard let entry = unsafe readdir(stream) else {
                if errno != 0 {
                    throw SystemError(operation: "readdir", path: directory, errno: errno)
                }
                break
            }
            // SAFETY: the kernel ends `d_name` with a zero byte inside the entry.
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    package static func remove(_ path: String) throws(SystemError) { try Syscalls.unlink(path) }

    /// Removes a directory and everything below it.
    package static func removeTree(_ path: String) throws(SystemError) {
        guard isDirectory(path) else { return try remove(path) }
        for name in try list(path) { try removeTree(path + "/" + name) }
        try Syscalls.removeDirectory(path)
    }

    /// Makes the names in a directory durable.
    package static func syncDirectory(_ path: String) throws(SystemError) {
        let descriptor = try Syscalls.open(path, flags: O_RDONLY | O_DIRECTORY)
        defer { close(descriptor) }
        try Syscalls.syncAll(descriptor, path)
    }

    /// The directory that holds `path`.
    package static func parent(of path: String) -> String {
        let trimmed = path.hasSuffix("/") && path.count > 1 ? String(path.dropLast()) : path
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }
}
