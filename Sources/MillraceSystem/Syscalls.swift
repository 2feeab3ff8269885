internal import CMillraceLinux
internal import Glibc

/// Every system call of the storage layer, in one place.
///
/// Each is retried when interrupted, fails with a `SystemError`, and is shown to observers.
/// Nothing else in the package calls the kernel for files. Closing and unmapping are the
/// exceptions that observers do not see: they move no data, and nobody can act on their failure.
enum Syscalls {
    /// Repeats a call while it is interrupted.
    ///
    /// `body` gets the number of bytes to move at most, and returns the result or the error number
    /// negated, so that nothing that runs in between can change `errno`.
    @inline(__always)
    static func call(
        _ operation: String, _ path: String, _ describe: @autoclosure () -> DiskCall,
        _ body: (Int) -> Int
    ) throws(SystemError) -> Int {
        while true {
            let result =
                DiskObservation.isActive
                ? DiskObservation.attempt(path, describe, body) : body(.max)
            if result >= 0 { return result }
            guard result == -Int(EINTR) else {
                throw SystemError(operation: operation, path: path, errno: Int32(-result))
            }
        }
    }

    /// The result of a C function that returns -1 and sets `errno` when it fails.
    @inline(__always)
    private static func result(_ value: Int) -> Int { value == -1 ? -Int(errno) : value }

    @inline(__always)
    private static func result(_ value: Int32) -> Int { result(Int(value)) }

    /// Turns the negative error number of the C shim into an error, for calls without a file.
    static func check(
        _ operation: String, _ path: String, _ result: Int32
    ) throws(SystemError) -> Int32 {
        guard result < 0 else { return result }
        throw SystemError(operation: operation, path: path, errno: -result)
    }

    /// What observers are told about an open file.
    private static func file(_ fd: Int32, _ path: String) -> DiskCall.File {
        DiskCall.File(path: path, identity: FileIdentity(descriptor: fd))
    }
}

// MARK: - Open files

extension Syscalls {
    static func open(_ path: String, flags: Int32) throws(SystemError) -> Int32 {
        Int32(
            try call("open", path, .open(path: path, flags: flags)) { _ in
                result(unsafe Glibc.open(path, flags | O_CLOEXEC, 0o644))
            })
    }

    static func close(_ fd: Int32) { _ = Glibc.close(fd) }

    static func read(
        _ fd: Int32, _ path: String, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try call(
            "pread", path, .read(file(fd, path), offset: offset, count: buffer.count)
        ) { limit in
            result(unsafe Glibc.pread(fd, buffer.baseAddress, min(buffer.count, limit), offset))
        }
    }

    static func write(
        _ fd: Int32, _ path: String, _ buffer: UnsafeRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try call(
            "pwrite", path,
            .write(file(fd, path), offset: offset, bytes: unsafe [UInt8](buffer))
        ) { limit in
            result(unsafe Glibc.pwrite(fd, buffer.baseAddress, min(buffer.count, limit), offset))
        }
    }

    /// Writes three pieces of memory, one behind the other, but for the first `done` bytes of them.
    static func write(
        _ fd: Int32, _ path: String, _ pieces: InlineArray<3, UnsafeRawBufferPointer>,
        skipping done: Int, at offset: Int
    ) throws(SystemError) -> Int {
        func all() -> [UInt8] {
            var bytes: [UInt8] = []
            for index in 0..<3 { unsafe bytes.append(contentsOf: pieces[index]) }
            return Array(bytes.dropFirst(done))
        }
        return try call(
            "pwritev", path, .write(file(fd, path), offset: offset, bytes: all())
        ) { limit in
            var vectors = unsafe InlineArray<3, iovec>(repeating: iovec())
            var passed = done
            var rest = limit
            for index in 0..<3 {
                let piece = unsafe pieces[index]
                let from = min(passed, piece.count)
                let count = min(piece.count - from, rest)
                passed -= from
                rest -= count
                let base = unsafe piece.baseAddress.map { unsafe $0 + from }
                unsafe vectors[index] = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: base), iov_len: count)
            }
            return unsafe vectors.span.withUnsafeBufferPointer {
                result(unsafe Glibc.pwritev(fd, $0.baseAddress, Int32($0.count), offset))
            }
        }
    }

    static func syncData(_ fd: Int32, _ path: String) throws(SystemError) {
        _ = try call("fdatasync", path, .syncData(file(fd, path))) { _ in result(fdatasync(fd)) }
    }

    static func syncAll(_ fd: Int32, _ path: String) throws(SystemError) {
        _ = try call("fsync", path, .sync(file(fd, path))) { _ in result(fsync(fd)) }
    }

    static func truncate(_ fd: Int32, _ path: String, to size: Int) throws(SystemError) {
        _ = try call("ftruncate", path, .truncate(file(fd, path), size: size)) { _ in
            result(ftruncate(fd, size))
        }
    }

    static func size(_ fd: Int32, _ path: String) throws(SystemError) -> Int {
        try call("fstat", path, .size(file(fd, path))) { _ in
            var status = stat()
            let code = result(unsafe fstat(fd, &status))
            return code < 0 ? code : status.st_size
        }
    }

    static func allocate(
        _ fd: Int32, _ path: String, from offset: Int, bytes: Int
    ) throws(SystemError) {
        _ = try call(
            "fallocate", path, .allocate(file(fd, path), offset: offset, count: bytes)
        ) { _ in Int(ml_allocate(fd, Int64(offset), Int64(bytes))) }
    }

    static func startWriteback(
        _ fd: Int32, _ path: String, from offset: Int, bytes: Int
    ) throws(SystemError) {
        _ = try call(
            "sync_file_range", path,
            .startWriteback(file(fd, path), offset: offset, count: bytes)
        ) { _ in Int(ml_start_writeback(fd, Int64(offset), Int64(bytes))) }
    }

    /// Whether the lock on one byte of the file was free and is now held by this description.
    static func tryLock(_ fd: Int32, _ path: String, byte: Int) throws(SystemError) -> Bool {
        try call("fcntl(F_OFD_SETLK)", path, .tryLock(file(fd, path), byte: byte)) { _ in
            Int(ml_try_lock(fd, Int64(byte)))
        } == 0
    }

    /// Whether no other description has the exclusive lock on one byte: this one then shares it.
    ///
    /// The descriptor need only be open for reading.
    static func tryShare(_ fd: Int32, _ path: String, byte: Int) throws(SystemError) -> Bool {
        try call("fcntl(F_OFD_SETLK)", path, .tryShare(file(fd, path), byte: byte)) { _ in
            Int(ml_try_shared_lock(fd, Int64(byte)))
        } == 0
    }

    static func unlock(_ fd: Int32, _ path: String, byte: Int) throws(SystemError) {
        _ = try call("fcntl(F_OFD_SETLK)", path, .unlock(file(fd, path), byte: byte)) { _ in
            Int(ml_unlock(fd, Int64(byte)))
        }
    }

    static func isLocked(_ fd: Int32, _ path: String, byte: Int) throws(SystemError) -> Bool {
        try call("fcntl(F_OFD_GETLK)", path, .queryLock(file(fd, path), byte: byte)) { _ in
            Int(ml_is_locked(fd, Int64(byte)))
        } == 1
    }
}
