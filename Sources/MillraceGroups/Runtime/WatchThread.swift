internal import MillraceSystem
internal import Synchronization

/// A thread that looks after the other members of a group, and makes commits durable now and then.
final class WatchThread: Sendable {
    /// How old a commit may get before it is on the disk.
    private static let syncNanoseconds: Int64 = 1_000_000_000

    private let stopFlag = Flag()
    private let thread: PinnedThread

    private final class Flag: Sendable {
        let isSet = Atomic<Bool>(false)
    }

    /// - Parameter fail: told the error that ends the watch.
    init(
        _ session: GroupSession, fail: @escaping @Sendable (GroupError) -> Void
    ) throws(GroupError) {
        let flag = stopFlag
        thread = try systemCall(session.files.group) { () throws(SystemError) in
            try PinnedThread(name: "group-watch", core: nil) {
                do throws(GroupError) { try Self.watch(session, until: flag) } catch { fail(error) }
            }
        }
    }

    private static func watch(_ session: GroupSession, until flag: Flag) throws(GroupError) {
        var watch = GroupWatch(session)
        var synced = Clock.monotonicNanoseconds()
        while !flag.isSet.load(ordering: .relaxed) {
            try watch.look()
            let now = Clock.monotonicNanoseconds()
            guard now - synced > syncNanoseconds else { continue }
            try session.files.sync()
            synced = now
        }
    }

    /// Ends the watch.
    func stop() {
        stopFlag.isSet.store(true, ordering: .relaxed)
        thread.join()
    }
}
