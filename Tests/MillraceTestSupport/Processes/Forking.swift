internal import Glibc
package import MillraceSystem

/// A child that is forked and never runs a program of its own.
package enum Forking {
    private static let seconds: UInt32 = 120

    /// Forks a child that sleeps with every file open that we have open; returns its number.
    ///
    /// Swift hides `fork`, because a child of several threads may do little; this one only sleeps.
    package static func leaveChild() throws(SystemError) -> Int32 {
        typealias Fork = @convention(c) () -> Int32
        guard let symbol = unsafe dlsym(nil, "fork") else {
            throw SystemError(operation: "dlsym", path: "fork", errno: ENOSYS)
        }
        let fork = unsafe unsafeBitCast(symbol, to: Fork.self)
        let child = fork()
        guard child >= 0 else { throw SystemError(operation: "fork", path: "", errno: errno) }
        if child == 0 {
            // Whoever reads what the parent prints must not wait for the child.
            close(1)
            sleep(seconds)
            _exit(0)
        }
        return child
    }
}
