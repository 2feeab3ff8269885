/// What becomes of a call that an observer was asked about.
package enum DiskAnswer: Sendable, Equatable {
    /// The kernel is called.
    case proceed
    /// The call fails with this error number; the kernel is not called.
    case fail(Int32)
    /// At most this many bytes are read or written; other calls proceed.
    case partial(Int)
    /// The call succeeds; the kernel is not called. For syncs and writes that get lost: a call
    /// whose result is used (open, read, size, map, list) must not be pretended.
    case pretend

    /// The answer that holds when one observer says `self` and the next says `other`.
    func orWorse(_ other: DiskAnswer) -> DiskAnswer { other.severity > severity ? other : self }

    private var severity: Int {
        switch self {
        case .proceed: 0
        case .pretend: 1
        case .partial: 2
        case .fail: 3
        }
    }
}

/// Sees every system call and every mapped store that concerns files under a path, and may change
/// what becomes of the calls.
///
/// Installed by `DiskObservation.install(_:on:)`. Observed are files of this process whose paths
/// begin with that path, as the caller spells them; mapped stores only when the observer was
/// there before the file was mapped.
///
/// **Thread-safety**: `will...` is called on the thread that makes the call, at once with others,
/// and may block it. `did...` is called one at a time for all files of one path, in the order in
/// which the calls and stores took place, and must not call the file layer for that path.
package protocol DiskObserver: AnyObject, Sendable {
    /// Asked before each attempt: an interrupted call that is tried again is asked about again.
    func willPerform(_ call: DiskCall) -> DiskAnswer

    /// Told after each attempt; `result` is what the call returned, or the error number negated.
    func didPerform(_ call: DiskCall, result: Int)

    /// Told before a store, or an attempted compare-exchange, of `count` bytes at `offset`.
    func willStore(path: String, offset: Int, count: Int)

    /// Told after a store into a mapping. `bytes` is what is there now.
    func didStore(_ file: DiskCall.File, offset: Int, bytes: [UInt8])

    /// The boot id that `path` seems to live under; nil for the machine's own.
    func bootID(for path: String) -> UInt64?
}

extension DiskObserver {
    package func willPerform(_ call: DiskCall) -> DiskAnswer { .proceed }
    package func didPerform(_ call: DiskCall, result: Int) {}
    package func willStore(path: String, offset: Int, count: Int) {}
    package func didStore(_ file: DiskCall.File, offset: Int, bytes: [UInt8]) {}
    package func bootID(for path: String) -> UInt64? { nil }
}
