internal import CMillraceLinux
internal import Glibc

/// Calls that take names rather than open files.
extension Syscalls {
    /// Repeats a C function that returns -1 and sets `errno` when it fails.
    private static func named(
        _ operation: String, _ path: String, _ describe: @autoclosure () -> DiskCall,
        _ body: () -> Int32
    ) throws(SystemError) {
        _ = try call(operation, path, describe()) { _ in
            body() == -1 ? -Int(errno) : 0
        }
    }

    /// The type bits (`S_IFMT`) of what is at `path`; symbolic links are followed where said.
    static func type(of path: String, followingLinks: Bool) throws(SystemError) -> mode_t {
        var status = stat()
        try named("stat", path, .status(path: path)) {
            followingLinks ? unsafe stat(path, &status) : unsafe lstat(path, &status)
        }
        return status.st_mode & S_IFMT
    }

    static func makeDirectory(_ path: String) throws(SystemError) {
        try named("mkdir", path, .makeDirectory(path: path)) { unsafe mkdir(path, 0o755) }
    }

    static func rename(_ from: String, _ to: String) throws(SystemError) {
        try named("rename", from, .rename(from: from, to: to)) { unsafe Glibc.rename(from, to) }
    }

    /// Renames; fails with `EEXIST` when there is something of the new name.
    static func renameNew(_ from: String, _ to: String) throws(SystemError) {
        _ = try call("rename", from, .rename(from: from, to: to)) { _ in
            unsafe Int(ml_rename_new(from, to))
        }
    }

    static func unlink(_ path: String) throws(SystemError) {
        try named("unlink", path, .unlink(path: path)) { unsafe Glibc.unlink(path) }
    }

    static func removeDirectory(_ path: String) throws(SystemError) {
        try named("rmdir", path, .removeDirectory(path: path)) { unsafe rmdir(path) }
    }

    /// The names in a directory, in no order, without `.` and `..`.
    static func list(_ directory: String) throws(SystemError) -> [String] {
        var names: [String] = []
        try named("readdir", directory, .list(path: directory)) {
            names = []
            guard let stream = unsafe opendir(directory) else { return -1 }
            defer { unsafe closedir(stream) }
            while true {
                // Only `errno` tells the end from a failure.
                errno = 0
                guard let entry = unsafe readdir(stream) else { break }
                // SAFETY: the kernel ends `d_name` with a zero byte inside the entry.
                let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                    unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
                }
                if name != "." && name != ".." { names.append(name) }
            }
            return errno == 0 ? 0 : -1
        }
        return names
    }
}
