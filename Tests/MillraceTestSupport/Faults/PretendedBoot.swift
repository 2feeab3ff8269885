internal import MillraceSystem

/// Lets the machine seem to restart, for one directory.
package final class PretendedBoot: DiskObserver {
    private let boot: Lock<UInt64>

    package init(_ boot: UInt64 = 1) { self.boot = Lock(boot) }

    /// From here on the boot id is another one.
    package func restart() { boot.withLock { $0 += 1 } }

    /// Runs `body` with this boot id in force for files under `prefix`.
    @discardableResult
    package func run<Result>(
        on prefix: String, _ body: () throws -> Result
    ) rethrows -> Result {
        DiskObservation.install(self, on: prefix)
        defer { DiskObservation.remove(self) }
        return try body()
    }

    package func bootID(for path: String) -> UInt64? { boot.withLock { $0 } }
}
