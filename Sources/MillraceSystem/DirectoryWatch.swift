internal import CMillraceLinux
internal import Glibc

/// Waits until names in directories are made, removed or replaced by a rename.
///
/// The kernel tells it (inotify), of changes by any process of this machine. What happens to the
/// content of a file, or on another machine that shares the file system, it does not tell: a wait is
/// to be bounded, and to be followed by a look.
///
/// **Thread-safety**: any thread may wake; one thread watches and waits.
package final class DirectoryWatch: Sendable {
    private let changes: Int32
    private let alarm: Int32

    /// Watches nothing yet.
    ///
    /// - Throws: `SystemError`, with `EMFILE` where the user watches too much already
    ///   (`/proc/sys/fs/inotify/max_user_instances`).
    package init() throws(SystemError) {
        let changes = try Syscalls.check("inotify_init1", "", ml_watch_open())
        do throws(SystemError) {
            alarm = try Syscalls.check("eventfd", "", ml_event_open())
        } catch {
            close(changes)
            throw error
        }
        self.changes = changes
    }

    deinit {
        close(changes)
        close(alarm)
    }

    /// Watches a directory from now on; changes nothing where it is watched already.
    ///
    /// - Returns: False when there is no such directory.
    package func add(_ directory: String) throws(SystemError) -> Bool {
        do throws(SystemError) {
            _ = try Syscalls.check(
                "inotify_add_watch", directory, unsafe ml_watch_directory(changes, directory))
            return true
        } catch {
            if error.isNotFound { return false }
            throw error
        }
    }

    /// Returns after a change, after `wake`, or when the time is over; what changed is forgotten.
    package func wait(milliseconds: Int) {
        var entries = [changes, alarm].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard unsafe poll(&entries, nfds_t(entries.count), Int32(milliseconds)) > 0 else { return }
        for entry in entries where entry.revents != 0 { Self.drain(entry.fd) }
    }

    /// Ends the wait of another thread, or the next one.
    package func wake() {
        var one: UInt64 = 1
        // It fails when the count is full, and then the wait ends already.
        _ = unsafe write(alarm, &one, 8)
    }

    /// Reads what there is: both descriptors say so instead of waiting when there is no more.
    private static func drain(_ descriptor: Int32) {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while unsafe read(descriptor, &bytes, bytes.count) > 0 {}
    }
}
