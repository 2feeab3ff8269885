internal import CMillraceLinux
internal import Glibc

/// A process that is watched: the kernel tells when it dies, however it dies.
///
/// **Thread-safety**: any thread.
package final class ProcessHandle: Sendable {
    private let descriptor: Int32

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Watches a process of our namespace; nil when it is dead.
    ///
    /// - Throws: `SystemError` where the kernel cannot watch, as before Linux 5.3.
    package static func open(_ process: ProcessIdentity) throws(SystemError) -> ProcessHandle? {
        do {
            let descriptor = try Syscalls.check(
                "pidfd_open", "process \(process.pid)", ml_pidfd_open(process.pid))
            let handle = ProcessHandle(descriptor: descriptor)
            // Only now: from here on the number is not given to another process unnoticed.
            return process.isAlive ? handle : nil
        } catch {
            if error.errno == ESRCH { return nil }
            throw error
        }
    }

    /// Waits until one of the processes is dead; for each, whether it is.
    ///
    /// Ends early when a signal is handled.
    package static func wait(_ handles: [ProcessHandle], milliseconds: Int) -> [Bool] {
        var entries = handles.map {
            pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0)
        }
        let count = unsafe poll(&entries, nfds_t(entries.count), Int32(milliseconds))
        return entries.map { count > 0 && $0.revents != 0 }
    }
}
