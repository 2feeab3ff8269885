internal import Synchronization

/// What a mirror asks and tells whoever runs it.
package struct MirrorHooks: Sendable {
    /// Whether it is to end.
    let isStopped: @Sendable () -> Bool
    /// Told of rows that have been appended or committed.
    let onRows: @Sendable (Int) -> Void

    /// Hooks; by default none.
    package init(
        isStopped: @escaping @Sendable () -> Bool = { false },
        onRows: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.isStopped = isStopped
        self.onRows = onRows
    }
}

/// A request to end soon.
///
/// **Thread-safety**: any thread.
final class StopRequest: Sendable {
    private let flag = Atomic<Bool>(false)
    private let hooks: MirrorHooks

    init(_ hooks: MirrorHooks = MirrorHooks()) { self.hooks = hooks }

    var isSet: Bool { flag.load(ordering: .relaxed) || hooks.isStopped() }
    func set() { flag.store(true, ordering: .relaxed) }
}
