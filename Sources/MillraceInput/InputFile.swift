internal import Glibc
internal import MillraceSystem

/// A file, pipe or standard input that is read from its beginning to its end.
struct InputFile: ~Copyable, Sendable {
    let path: String
    private let descriptor: Int32

    /// Opens `path`, or takes standard input where it is `-`.
    init(path: String) throws(InputError) {
        self.path = path
        if path == "-" {
            descriptor = STDIN_FILENO
            return
        }
        while true {
            let opened = unsafe open(path, O_RDONLY | O_CLOEXEC)
            if opened >= 0 {
                descriptor = opened
                return
            }
            if errno != EINTR { throw Self.failure(path, "open", errno) }
        }
    }

    deinit { if descriptor != STDIN_FILENO { close(descriptor) } }

    /// Reads bytes into `buffer[start...]`, and says how many; 0 only at the end.
    func read(into buffer: inout [UInt8], from start: Int) throws(InputError) -> Int {
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
