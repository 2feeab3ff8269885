internal import MillraceSystem

/// The work on one source partition: one owner, one batch at a time.
protocol PartitionTask: AnyObject {
    /// Works on the next batch; false when there is none at the moment.
    func step() throws -> Bool

    /// Makes what was written durable and lets go of it.
    func close() throws
}

/// Runs the tasks of one slot until their input has ended or the run is stopped.
enum SlotLoop {
    /// How long a slot sleeps when none of its partitions has rows.
    ///
    /// Stages of one run share cores, so they sleep and do not spin.
    private static let idleNanoseconds: Int64 = 200_000

    /// When a task fails, the whole run is stopped before the error goes on.
    static func run(_ tasks: [any PartitionTask], until upstream: Upstream, stop: StopFlag) throws {
        do { try work(tasks, until: upstream, stop: stop) } catch {
            stop.set()
            throw error
        }
    }

    private static func work(
        _ tasks: [any PartitionTask], until upstream: Upstream, stop: StopFlag
    ) throws {
        while !stop.isSet {
            let ended = upstream.hasEnded
            var worked = false
            for task in tasks where !stop.isSet {
                if try task.step() { worked = true }
            }
            if worked { continue }
            if ended { break }
            PinnedThread.sleep(nanoseconds: idleNanoseconds)
        }
        for task in tasks { try task.close() }
    }
}
