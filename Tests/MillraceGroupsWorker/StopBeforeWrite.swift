import Glibc
import MillraceSystem
import MillraceTestSupport
import Synchronization

/// Stops the process itself at a write that it has decided on and is about to make.
///
/// What it has checked before no longer holds when it wakes.
final class StopBeforeWrite: DiskObserver {
    private let isCommit: Bool
    private let after: Int
    private let seen = Atomic<Int>(0)

    /// - Parameters:
    ///   - what: `commit` or `append`; nil is returned for other words.
    ///   - after: How many such writes are let go before.
    init?(_ what: String, after: Int) {
        guard ["commit", "append"].contains(what) else { return nil }
        isCommit = what == "commit"
        self.after = after
    }

    /// Where the words of partitions begin in a group's page, and the published position in the
    /// control page of a partition.
    private static let tenures = 20_480
    private static let published = 64

    func willStore(path: String, offset: Int, count: Int) {
        let matches =
            isCommit
            ? path.hasSuffix("/page") && offset >= Self.tenures
            : path.hasSuffix("/control") && path.contains("/out") && offset == Self.published
        guard matches, seen.add(1, ordering: .relaxed).oldValue == after else { return }
        say("stopped")
        raise(SIGSTOP)
    }
}
