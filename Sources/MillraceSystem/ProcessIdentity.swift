internal import Glibc

/// What tells one process from all others of a boot: its number alone is used again.
package struct ProcessIdentity: Sendable, Hashable {
    /// The kernel's number of the process, in its own namespace.
    package let pid: Int32
    /// When the process was started, in the kernel's ticks since the boot.
    package let startTime: UInt64
    /// The namespace in which `pid` counts: in containers there are several.
    package let namespace: UInt64

    package init(pid: Int32, startTime: UInt64, namespace: UInt64) {
        self.pid = pid
        self.startTime = startTime
        self.namespace = namespace
    }

    /// This process.
    ///
    /// - Throws: `SystemError` where the kernel does not tell, as in containers that hide `/proc`.
    package static func current() throws(SystemError) -> ProcessIdentity {
        let path = "/proc/self/stat"
        guard let status = Status(try read(path)) else {
            throw SystemError(operation: "read", path: path, errno: EILSEQ)
        }
        return ProcessIdentity(
            pid: getpid(), startTime: status.startTime, namespace: try ownNamespace())
    }

    /// The number of the namespace that this process's number belongs to.
    package static func ownNamespace() throws(SystemError) -> UInt64 {
        let path = "/proc/self/ns/pid"
        var buffer = [CChar](repeating: 0, count: 64)
        let count = unsafe readlink(path, &buffer, buffer.count)
        guard count > 0 else { throw SystemError(operation: "readlink", path: path, errno: errno) }
        // `pid:[4026531836]`
        let digits = buffer.prefix(count).map(UInt8.init(bitPattern:)).filter { 48...57 ~= $0 }
        return UInt64(String(decoding: digits, as: UTF8.self)) ?? 0
    }

    /// Whether the process is there and not about to be reaped; for processes of our namespace.
    package var isAlive: Bool {
        do throws(SystemError) {
            guard let status = Status(try Self.read("/proc/\(pid)/stat")) else { return true }
            return status.startTime == startTime && status.isRunning
        } catch {
            // What cannot be read for want of descriptors or memory is no proof of a death.
            return !(error.isNotFound || error.errno == ESRCH)
        }
    }

    private static func read(_ path: String) throws(SystemError) -> [UInt8] {
        let file = try FileHandle(path, .read)
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = try file.read(into: &bytes, at: 0)
        bytes.removeSubrange(count...)
        return bytes
    }

    /// What `/proc/PID/stat` says.
    private struct Status {
        let isRunning: Bool
        let startTime: UInt64

        /// Nil for text in another form.
        ///
        /// - Source: `proc_pid_stat(5)`. The command, field 2, may hold spaces and parentheses.
        init?(_ text: [UInt8]) {
            guard let end = text.lastIndex(of: UInt8(ascii: ")")) else { return nil }
            let fields = text[(end + 1)...].split(separator: UInt8(ascii: " "))
            guard fields.count > 19, let state = fields[0].first,
                let start = UInt64(String(decoding: fields[19], as: UTF8.self))
            else { return nil }
            isRunning = state != UInt8(ascii: "Z") && state != UInt8(ascii: "X")
            startTime = start
        }
    }
}
