internal import CMillraceLinux
internal import Glibc

/// Every system call of the storage layer, in one place.
///
/// Each is retried when interrupted and fails with a `SystemError`. Nothing else in the package
/// calls the kernel for files.
enum Syscalls {
    /// Repeats `body` while it is interrupted; a result of -1 becomes an error.
    static func call(
        _ operation: String, _ path: String, _ body: () -> Int
    ) throws(SystemError) -> Int {
        while true {
            let result = body()
            if result != -1 { return result }
            let code = errno
            if code != EINTR { throw SystemError(operation: operation, path: path, errno: code) }
        }
    }

    /// Turns the negative error number of the C shim into an error.
    static func check(
        _ operation: String, _ path: String, _ result: Int32
    ) throws(SystemError) -> Int32 {
        guard result < 0 else { return result }
        throw SystemError(operation: operation, path: path, errno: -result)
    }

    static func open(_ path: String, flags: Int32) throws(SystemError) -> Int32 {
        Int32(try call("open", path) { Int(unsafe Glibc.open(path, flags | O_CLOEXEC, 0o644)) })
    }

    static func read(
        _ fd: Int32, _ path: String, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try call("pread", path) {
            unsafe Glibc.pread(fd, buffer.baseAddress, buffer.count, offset)
        }
    }

    static func write(
        _ fd: Int32, _ path: String, _ buffer: UnsafeRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try call("pwrite", path) {
            unsafe Glibc.pwrite(fd, buffer.baseAddress, buffer.count, offset)
        }
    }

    static func syncData(_ fd: Int32, _ path: String) throws(SystemError) {
        _ = try call("fdatasync", path) { Int(Glibc.fdatasync(fd)) }
    }

    static func syncAll(_ fd: Int32, _ path: String) throws(SystemError) {
        _ = try call("fsync", path) { Int(Glibc.fsync(fd)) }
    }

    static func truncate(_ fd: Int32, _ path: String, to size: Int) throws(SystemError) {
        _ = try call("ftruncate", path) { Int(Glibc.ftruncate(fd, size)) }
    }

    static func size(_ fd: Int32, _ path: String) throws(SystemError) -> Int {
        var status = stat()
        _ = try call("fstat", path) { Int(unsafe Glibc.fstat(fd, &status)) }
        return status.st_size
    }

    static func makeDirectory(_ path: String) throws(SystemError) {
        _ = try call("mkdir", path) { Int(unsafe Glibc.mkdir(path, 0o755)) }
    }

    static func rename(_ from: String, _ to: String) throws(SystemError) {
        _ = try call("rename", from) { Int(unsafe Glibc.rename(from, to)) }
    }

    static func unlink(_ path: String) throws(SystemError) {
        _ = try call("unlink", path) { Int(unsafe Glibc.unlink(path)) }
    }

    static func removeDirectory(_ path: String) throws(SystemError) {
        _ = try call("rmdir", path) { Int(unsafe Glibc.rmdir(path)) }
    }

    static func allocate(_ fd: Int32, _ path: String, bytes: Int) throws(SystemError) {
        _ = try check("fallocate", path, ml_allocate(fd, 0, Int64(bytes)))
    }

    /// Whether the lock on one byte of the file was free and is now held by this description.
    static func tryLock(_ fd: Int32, _ path: String, byte: Int) throws(SystemError) -> Bool {
        try check("fcntl(F_OFD_SETLK)", path, ml_try_lock(fd, Int64(byte))) == 0
    }

    static func unlock(_ fd: Int32, _ path: String, byte: Int) throws(SystemError) {
        _ = try check("fcntl(F_OFD_SETLK)", path, ml_unlock(fd, Int64(byte)))
    }

    static func map(
        _ fd: Int32, _ path: String, bytes: Int, writable: Bool
    ) throws(SystemError) -> UnsafeMutableRawPointer {
        let protection = writable ? PROT_READ | PROT_WRITE : PROT_READ
        let address = unsafe mmap(nil, bytes, protection, MAP_SHARED, fd, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw SystemError(operation: "mmap", path: path, errno: errno)
        }
        return unsafe address
    }
}
