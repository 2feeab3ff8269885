internal import MillraceSystem
internal import Synchronization

/// A thread that looks after the other members of a group.
final class WatchThread: Sendable {
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
                var watch = GroupWatch(session)
                while !flag.isSet.load(ordering: .relaxed) {
                    do throws(GroupError) { try watch.look() } catch { return fail(error) }
                }
            }
        }
    }

    /// Ends the watch.
    func stop() {
        stopFlag.isSet.store(true, ordering: .relaxed)
        thread.join()
    }
}
