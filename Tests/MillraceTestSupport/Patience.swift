internal import MillraceSystem

/// Waiting for what other threads and processes bring about.
public enum Patience {
    /// Asks again and again, every few milliseconds, until it holds or a minute is over.
    ///
    /// - Returns: Whether it held.
    @discardableResult
    public static func wait(seconds: Int = 60, until holds: () throws -> Bool) rethrows -> Bool {
        let end = Clock.monotonicNanoseconds() + Int64(seconds) * 1_000_000_000
        while try !holds() {
            guard Clock.monotonicNanoseconds() < end else { return false }
            PinnedThread.sleep(nanoseconds: 5_000_000)
        }
        return true
    }
}
