internal import Glibc

/// An open file, closed when the value goes away.
///
/// Offsets are explicit: there is no shared position.
/// **Thread-safety**: positioned reads and writes may run at once; the value itself has one owner.
@safe package struct FileHandle: ~Copyable, Sendable {
    package let path: String
    let descriptor: Int32

    /// How a file is opened.
    package enum Mode {
        case read
        case readWrite
        /// Creates the file; it must not exist.
        case createNew
        /// Creates the file where it does not exist.
        case openOrCreate
    }

    package init(_ path: String, _ mode: Mode) throws(SystemError) {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .createNew: O_RDWR | O_CREAT | O_EXCL
            case .openOrCreate: O_RDWR | O_CREAT
            }
        self.path = path
        self.descriptor = try Syscalls.open(path, flags: flags)
    }

    /// No file, for who has not opened one yet: every call fails with `EBADF`.
    package init() {
        path = ""
        descriptor = -1
    }

    deinit { if descriptor >= 0 { Syscalls.close(descriptor) } }

    package func size() throws(SystemError) -> Int { try Syscalls.size(descriptor, path) }

    /// Writes all of `bytes` at `offset`.
    package func write(_ bytes: RawSpan, at offset: Int) throws(SystemError) {
        var done = 0
        while done < bytes.byteCount {
            let rest = bytes.extracting(done...)
            // SAFETY: the buffer is used only inside the closure, which the span outlives.
            let result = unsafe rest.withUnsafeBytes {
                buffer -> Result<Int, SystemError> in
                do throws(SystemError) {
                    return .success(
                        try unsafe Syscalls.write(descriptor, path, buffer, at: offset + done))
                } catch {
                    return .failure(error)
                }
            }
            let written = try result.get()
            // A regular file accepts nothing only when it cannot accept more.
            if written == 0 { throw SystemError(operation: "pwrite", path: path, errno: ENOSPC) }
            done += written
        }
    }

    /// Writes all of three pieces of memory at `offset`, one behind the other.
    package func write(
        _ front: RawSpan, _ middle: RawSpan, _ back: RawSpan, at offset: Int
    ) throws(SystemError) {
        let count = front.byteCount + middle.byteCount + back.byteCount
        var done = 0
        while done < count {
            // SAFETY: the buffers are used only inside the closures, which the spans outlive.
            let result = unsafe front.withUnsafeBytes { front in
                unsafe middle.withUnsafeBytes { middle in
                    unsafe back.withUnsafeBytes { back -> Result<Int, SystemError> in
                        do throws(SystemError) {
                            return .success(
                                try unsafe Syscalls.write(
                                    descriptor, path, [front, middle, back], skipping: done,
                                    at: offset + done))
                        } catch {
                            return .failure(error)
                        }
                    }
                }
            }
            let written = try result.get()
            if written == 0 { throw SystemError(operation: "pwritev", path: path, errno: ENOSPC) }
            done += written
        }
    }

    /// Writes all of `bytes` at `offset`.
    package func write(_ bytes: [UInt8], at offset: Int) throws(SystemError) {
        // SAFETY: every byte of an array of bytes is initialised.
        try write(unsafe bytes.span.bytes, at: offset)
    }

    /// Reads up to `bytes.count` bytes from `offset`; fewer only at the end of the file.
    package func read(into bytes: inout [UInt8], at offset: Int) throws(SystemError) -> Int {
        var done = 0
        while done < bytes.count {
            // SAFETY: the buffer is used only inside the closure.
            let result = unsafe bytes.withUnsafeMutableBytes {
                buffer -> Result<Int, SystemError> in
                do throws(SystemError) {
                    let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
                    return .success(
                        try unsafe Syscalls.read(descriptor, path, into: rest, at: offset + done))
                } catch {
                    return .failure(error)
                }
            }
            let count = try result.get()
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Makes the file's data durable.
    package func syncData() throws(SystemError) { try Syscalls.syncData(descriptor, path) }

    /// Makes the file's data and metadata durable.
    package func sync() throws(SystemError) { try Syscalls.syncAll(descriptor, path) }

    /// Which file this is, whatever it is called now.
    package var identity: FileIdentity { FileIdentity(descriptor: descriptor) }

    /// Maps the first `bytes` bytes of the file.
    package func map(bytes: Int, writable: Bool) throws(SystemError) -> MappedFile {
        let address = try unsafe Syscalls.map(descriptor, path, bytes: bytes, writable: writable)
        return unsafe MappedFile(
            path: path, address: address, byteCount: bytes, isWritable: writable)
    }
}
