import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

/// The tool in a process of its own, as users and scripts meet it.
final class ToolProcess {
    /// How a process ended and what it said.
    struct Outcome {
        /// The exit code; nil when a signal ended the process.
        let code: Int32?
        /// The signal that ended the process.
        let signal: Int32?
        /// Standard output.
        let output: String
        /// Standard error.
        let errors: String

        /// The most memory that the process held, in bytes.
        let peakBytes: Int

        /// Standard error, line by line.
        var errorLines: [String] { errors.split(separator: "\n").map(String.init) }
    }

    /// The tool is built next to the test bundle.
    static let executable: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        let path = String(
            decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return Files.parent(of: path) + "/millrace"
    }()

    let identifier: pid_t
    private let scratch: TemporaryDirectory
    private var isOver = false

    /// Starts the tool, or another program, with its output going to files.
    init(
        _ arguments: [String], program: String = ToolProcess.executable,
        environment: [String] = []
    ) throws {
        scratch = try TemporaryDirectory("millrace-tool")
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        for (descriptor, name) in [(Int32(1), "output"), (2, "errors")] {
            unsafe posix_spawn_file_actions_addopen(
                &actions, descriptor, scratch.file(name), O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        }
        // The threads that run tests block signals; a child would inherit that.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var mask = sigset_t()
        unsafe sigemptyset(&mask)
        unsafe posix_spawnattr_setsigmask(&attributes, &mask)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let argv = CStrings([program] + arguments)
        let envp = CStrings(["PATH=/usr/bin:/bin", "HOME=/nonexistent"] + environment)
        var identifier: pid_t = 0
        let error = unsafe posix_spawn(
            &identifier, program, &actions, &attributes, argv.pointers, envp.pointers)
        try #require(error == 0, "cannot start \(program): error \(error)")
        self.identifier = identifier
    }

    deinit { if !isOver { _ = wait(killing: true) } }

    /// Sends a signal.
    func send(_ signal: Int32) { kill(identifier, signal) }

    /// Whether the process is still running; what it leaves stays to be waited for.
    var isRunning: Bool {
        var information = unsafe siginfo_t()
        let options = WEXITED | WNOHANG | WNOWAIT
        let result = unsafe waitid(P_PID, id_t(identifier), &information, options)
        return unsafe result == 0 && information.si_signo == 0
    }

    /// Waits for the end of the process.
    func outcome() throws -> Outcome {
        // Sampled from the process itself: what the kernel reports at the end also counts the
        // memory of the parent that it was forked from.
        var peakBytes = 0
        while isRunning {
            peakBytes = max(peakBytes, residentPeak())
            usleep(2000)
        }
        let status = wait(killing: false)
        let ended = status & 0x7F
        return Outcome(
            code: ended == 0 ? status >> 8 & 0xFF : nil, signal: ended == 0 ? nil : ended,
            output: try text("output"), errors: try text("errors"), peakBytes: peakBytes)
    }

    /// What the process has said on standard error so far.
    func errorsSoFar() throws -> String { try text("errors") }

    /// The most memory that the running process has held so far, in bytes; 0 when it is gone.
    private func residentPeak() -> Int {
        var bytes = [UInt8](repeating: 0, count: 4096)
        guard let file = try? FileHandle("/proc/\(identifier)/status", .read),
            let count = try? file.read(into: &bytes, at: 0)
        else { return 0 }
        let lines = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
        let peak = lines.first { $0.hasPrefix("VmHWM:") }?.split(separator: " ").dropFirst().first
        return (peak.flatMap { Int($0) } ?? 0) << 10
    }

    private func wait(killing: Bool) -> Int32 {
        if killing { kill(identifier, SIGKILL) }
        var status: Int32 = 0
        while unsafe waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        isOver = true
        return status
    }

    private func text(_ name: String) throws -> String {
        String(decoding: try Files.read(scratch.file(name), maxBytes: 1 << 30), as: UTF8.self)
    }

    /// Runs the tool to its end.
    static func run(
        _ arguments: [String], environment: [String] = []
    ) throws -> Outcome {
        try ToolProcess(arguments, environment: environment).outcome()
    }
}

/// Text as C wants it: pointers that end with a null one.
@safe private final class CStrings {
    let pointers: [UnsafeMutablePointer<CChar>?]

    init(_ texts: [String]) { unsafe pointers = texts.map { unsafe strdup($0) } + [nil] }

    deinit { unsafe pointers.forEach { unsafe free($0) } }
}
