internal import Glibc
package import MillraceSystem

/// A program in a process of its own, to be talked to, stopped and killed.
///
/// What it prints is read line by line; what it complains of goes where ours goes. It is killed
/// when the value goes away. **Thread-safety**: one owner.
package final class ChildProcess {
    /// How a process ended.
    package enum Ending: Equatable, Sendable {
        /// It returned this code.
        case code(Int32)
        /// This signal ended it.
        case signal(Int32)
    }

    /// The kernel's number of the process.
    package let identifier: Int32
    private var ending: Ending?
    private var isStopped = false
    private let output: Int32
    /// Read and not yet given out.
    private var pending: [UInt8] = []

    /// Pipes are made and handed over one process at a time, so that no other child keeps an end.
    private static let spawning = Lock(())

    /// The path of a program that is built beside this one.
    package static func besideUs(_ name: String) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        let path = buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:))
        return Files.parent(of: String(decoding: path, as: UTF8.self)) + "/" + name
    }

    /// Starts a program.
    ///
    /// Of our environment it inherits the search path and the home directory alone; `environment`
    /// is `NAME=value` each.
    package init(
        _ program: String, _ arguments: [String] = [], environment: [String] = []
    ) throws(SystemError) {
        let argv = CStrings([program] + arguments)
        let path = Environment.text("PATH") ?? "/usr/bin:/bin"
        let home = Environment.text("HOME") ?? "/tmp"
        let envp = CStrings(["PATH=\(path)", "HOME=\(home)"] + environment)
        let started = Self.spawning.withLock { _ in
            Result { () throws(SystemError) in try Self.spawn(program, argv, envp) }
        }
        (identifier, output) = try started.get()
    }

    deinit {
        if ending == nil {
            kill()
            _ = wait()
        }
        close(output)
    }

    private static func pipe() throws(SystemError) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard unsafe Glibc.pipe(&ends) == 0 else {
            throw SystemError(operation: "pipe", path: "", errno: errno)
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func spawn(
        _ program: String, _ argv: CStrings, _ envp: CStrings
    ) throws(SystemError) -> (Int32, Int32) {
        let (outputRead, outputWrite) = try pipe()
        defer { close(outputWrite) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, outputWrite, 1)
        // The threads that run tests block signals; a child would inherit that.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var mask = sigset_t()
        unsafe sigemptyset(&mask)
        unsafe posix_spawnattr_setsigmask(&attributes, &mask)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var identifier: pid_t = 0
        let code = unsafe posix_spawn(
            &identifier, program, &actions, &attributes, argv.pointers, envp.pointers)
        guard code == 0 else {
            close(outputRead)
            throw SystemError(operation: "posix_spawn", path: program, errno: code)
        }
        return (identifier, outputRead)
    }

    /// Ends the process at once, wherever it is.
    package func kill() { send(SIGKILL) }

    /// Asks the process to end.
    package func terminate() { send(SIGTERM) }

    /// Stops the process wherever it is, and returns when it stands still.
    ///
    /// False when it has ended instead.
    package func stop() -> Bool {
        guard ending == nil else { return false }
        // The kernel reports a stop once.
        if isStopped { return true }
        send(SIGSTOP)
        var status: Int32 = 0
        while unsafe waitpid(identifier, &status, WUNTRACED) < 0, errno == EINTR {}
        guard status & 0xFF == 0x7F else {
            ending = Self.ending(status)
            return false
        }
        isStopped = true
        return true
    }

    /// Lets a stopped process go on.
    package func resume() {
        isStopped = false
        send(SIGCONT)
    }

    /// A process that has been waited for is not signalled: its number may be another's.
    private func send(_ signal: Int32) {
        if ending == nil { _ = Glibc.kill(identifier, signal) }
    }

    /// Waits for the end of the process.
    package func wait() -> Ending {
        if let ending { return ending }
        var status: Int32 = 0
        while unsafe waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        let found = Self.ending(status)
        ending = found
        return found
    }

    private static func ending(_ status: Int32) -> Ending {
        let signal = status & 0x7F
        return signal == 0 ? .code(status >> 8 & 0xFF) : .signal(signal)
    }

    /// The next line that the process prints; nil when it will print no more.
    package func readLine() -> String? {
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: pending[..<end], as: UTF8.self)
                pending.removeSubrange(...end)
                return line
            }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = unsafe read(output, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                defer { pending = [] }
                return pending.isEmpty ? nil : String(decoding: pending, as: UTF8.self)
            }
            pending += buffer[..<count]
        }
    }

    /// Everything that the process prints until it closes its output.
    package func readToEnd() -> [String] {
        var lines: [String] = []
        while let line = readLine() { lines.append(line) }
        return lines
    }
}

/// Text as C wants it: pointers that end with a null one.
@safe private final class CStrings {
    let pointers: [UnsafeMutablePointer<CChar>?]

    init(_ texts: [String]) { unsafe pointers = texts.map { unsafe strdup($0) } + [nil] }

    deinit { unsafe pointers.forEach { unsafe free($0) } }
}
