internal import Glibc
internal import MillraceSystem

/// A file, pipe or standard input that is read from its beginning to its end.
struct InputFile: ~Copyable, Sendable {
    let path: String
    /// How many bytes the file has; nil for what has no size: a pipe, a terminal.
    let byteCount: Int?
    private let descriptor: Int32
    /// Whether the end is only told once somebody has begun to write.
    private let isNamedPipe: Bool

    /// Opens `path`, or takes standard input where it is `-`.
    ///
    /// A named pipe is opened without waiting for who writes to it: `isReady` and `read` wait.
    init(path: String) throws(InputError) {
        self.path = path
        descriptor = path == "-" ? STDIN_FILENO : try Self.opened(path)
        var status = stat()
        // SAFETY: the kernel fills the one structure.
        let isKnown = unsafe fstat(descriptor, &status) == 0
        let kind = isKnown ? status.st_mode & S_IFMT : 0
        byteCount = kind == S_IFREG ? Int(status.st_size) : nil
        isNamedPipe = path != "-" && kind == S_IFIFO
    }

    private static func opened(_ path: String) throws(InputError) -> Int32 {
        while true {
            let opened = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            if opened >= 0 {
                // Reading waits: only opening was not to.
                guard fcntl(opened, F_SETFL, 0) == 0 else {
                    let code = errno
                    close(opened)
                    throw failure(path, "fcntl", code)
                }
                return opened
            }
            if errno != EINTR { throw failure(path, "open", errno) }
        }
    }

    deinit { if descriptor != STDIN_FILENO { close(descriptor) } }

    /// How many of the file's bytes have been read; 0 for what has no size.
    var position: Int { byteCount == nil ? 0 : max(0, Int(lseek(descriptor, 0, SEEK_CUR))) }

    /// Reads bytes into `buffer[start...]`, and says how many; 0 only at the end.
    func read(into buffer: inout [UInt8], from start: Int) throws(InputError) -> Int {
        // Before anybody has opened it for writing, a pipe reads as one that has ended.
        while isNamedPipe, !isReady(withinMilliseconds: 1000) {}
        while true {
            // SAFETY: the kernel writes within the array, which outlives the closure.
            let count = unsafe buffer.withUnsafeMutableBytes {
                let room = unsafe UnsafeMutableRawBufferPointer(rebasing: $0[start...])
                return unsafe Glibc.read(descriptor, room.baseAddress, room.count)
            }
            if count >= 0 { return count }
            if errno != EINTR { throw Self.failure(path, "read", errno) }
        }
    }

    /// Whether bytes, the end or an error are there to be read, after at most so many milliseconds.
    ///
    /// A signal ends the waiting.
    func isReady(withinMilliseconds milliseconds: Int) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        // SAFETY: the kernel fills the one structure that it is told of.
        let answer = unsafe poll(&request, 1, Int32(clamping: milliseconds))
        return answer > 0 || answer < 0 && errno != EINTR
    }

    private static func failure(_ path: String, _ call: String, _ code: Int32) -> InputError {
        let error = SystemError(operation: call, path: path, errno: code)
        return InputError(
            error.isNotFound ? .notFound : .unreadable, path: path, expected: "a readable file",
            found: "'\(error.reason)'")
    }
}
