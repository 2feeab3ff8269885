internal import MillraceSystem

/// How a reader waits for rows.
public enum WaitStrategy: String, Sendable, Codable {
    /// Looks again and again: the lowest latency, a whole core.
    case spin
    /// Lets others have the core between two looks.
    case yield
    /// Sleeps until a writer wakes it: a few microseconds of latency, no core.
    case sleep
}

extension PartitionReader {
    /// Waits until there is something to read, for at most `nanoseconds`.
    ///
    /// A sleeping reader looks for itself every 20 ms, whatever writers do: one can die between its
    /// publication and its wake-up. Where the control page cannot be opened for writing, which is how a
    /// sleeper makes itself known, it looks every millisecond.
    /// - Returns: whether there is something to read.
    public mutating func wait(
        _ strategy: WaitStrategy, nanoseconds: Int64
    ) throws(LogError) -> Bool {
        let deadline = Clock.monotonicNanoseconds().addingReportingOverflow(nanoseconds)
        let end = deadline.overflow ? Int64.max : deadline.partialValue
        var turn = 0
        while try isAtEnd {
            turn += 1
            switch strategy {
            case .spin: if turn % 256 != 0 { continue }
            case .yield: PinnedThread.yield()
            case .sleep: try sleep(until: end)
            }
            if Clock.monotonicNanoseconds() >= end { return try !isAtEnd }
            if strategy != .sleep, turn % (1 << 16) != 0 { continue }
            if try control.stateValue() == .deleted { throw files.deleted() }
        }
        return true
    }

    private static let longestSleep: Int64 = 20_000_000

    private mutating func sleep(until end: Int64) throws(LogError) {
        let left = min(max(end - Clock.monotonicNanoseconds(), 0), Self.longestSleep)
        guard openSleepPage() else {
            return PinnedThread.sleep(nanoseconds: min(left, 1_000_000))
        }
        guard let seen = sleepPage?.announceSleeper() else { return }
        guard try isAtEnd else { return }
        sleepPage?.sleep(while: seen, nanoseconds: left)
    }

    private mutating func openSleepPage() -> Bool {
        if sleepPage != nil { return true }
        guard maySleepOnFutex else { return false }
        do throws(LogError) {
            sleepPage = try files.openControl(writable: true)
        } catch {
            maySleepOnFutex = false
        }
        return maySleepOnFutex
    }
}
