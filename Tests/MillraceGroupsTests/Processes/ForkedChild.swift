import Glibc

/// A child that a worker has left behind.
struct ForkedChild {
    private let pid: Int32

    /// - Parameter line: what the worker said of it.
    init?(_ line: String) {
        guard line.hasPrefix("child "), let pid = Int32(line.dropFirst(6)) else { return nil }
        self.pid = pid
    }

    var isAlive: Bool { kill(pid, 0) == 0 }

    func end() { _ = kill(pid, SIGKILL) }
}
