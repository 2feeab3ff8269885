internal import MillraceGroups
internal import MillraceLog
internal import MillraceSystem

/// The work on one source partition: one owner, one batch at a time.
protocol PartitionTask: AnyObject {
    /// Works on the next batch; false when there is none at the moment.
    func step() throws -> Bool

    /// Makes what was written durable and lets go of it.
    func close() throws

    /// How many source rows have their outcome, by this task or before it.
    var rowsDone: Int { get }
}

/// Runs the tasks of one slot, those of the partitions that it owns, until their input has ended or
/// the run is stopped.
struct SlotLoop {
    /// How long a slot sleeps when none of its partitions has rows.
    ///
    /// Stages of one run share cores, so they sleep and do not spin.
    private static let idleNanoseconds: Int64 = 200_000

    let consumer: GroupConsumer
    let upstream: Upstream
    let stop: StopFlag
    let status: StageStatus
    /// Slots end together: one that has nothing left may be given the partition of one that fails.
    let vote: EndVote
    private var tasks: [(claim: GroupConsumer.Claim, task: any PartitionTask)] = []

    init(
        consumer: GroupConsumer, upstream: Upstream, stop: StopFlag, status: StageStatus,
        vote: EndVote
    ) {
        self.consumer = consumer
        self.upstream = upstream
        self.stop = stop
        self.status = status
        self.vote = vote
    }

    /// Works until the end; `make` begins with a partition, `begun` is called once, when the first
    /// partitions have been begun with.
    ///
    /// When a task fails, the whole run is stopped before the error goes on.
    mutating func run(
        _ make: (GroupConsumer.Claim) throws -> any PartitionTask, begun: () -> Void = {}
    ) throws {
        do {
            try follow(make)
            begun()
            try work(make)
        } catch {
            stop.set()
            throw error
        }
    }

    private mutating func work(
        _ make: (GroupConsumer.Claim) throws -> any PartitionTask
    ) throws {
        var isReady = false
        while !stop.isSet {
            let ended = upstream.hasEnded
            try follow(make)
            if try round() {
                if isReady { vote.withdraw() }
                isReady = false
                continue
            }
            if ended, try consumer.isSettled(), !consumer.mayHaveChanged {
                if !isReady { vote.enter() }
                isReady = true
                if vote.isUnanimous { break }
            }
            PinnedThread.sleep(nanoseconds: Self.idleNanoseconds)
        }
        for (_, task) in tasks { try task.close() }
    }

    /// One batch of each partition; false when there was none.
    private mutating func round() throws -> Bool {
        var worked = false
        for (_, task) in tasks where !stop.isSet {
            do { if try task.step() { worked = true } } catch  where Self.isFenced(error) {
                // The partition is another's: what it tried was refused, and the next look at the
                // group tells what is left.
                return true
            }
            consumer.tick()
            if consumer.mayHaveChanged { return true }
        }
        return worked
    }

    private static func isFenced(_ error: any Error) -> Bool {
        (error as? LogError)?.code == .fenced || (error as? GroupError)?.code == .fenced
    }

    /// Ends and begins tasks as the group says.
    private mutating func follow(
        _ make: (GroupConsumer.Claim) throws -> any PartitionTask
    ) throws {
        guard let changes = try consumer.changes() else { return }
        let gone = Set(changes.revoked + changes.lost)
        for (claim, task) in tasks where gone.contains(claim) { status.add(rows: -task.rowsDone) }
        tasks.removeAll { gone.contains($0.claim) }
        if !changes.revoked.isEmpty { try consumer.release(changes.revoked) }
        for claim in changes.granted {
            do {
                let task = try make(claim)
                status.add(rows: task.rowsDone)
                tasks.append((claim, task))
            } catch  where Self.isFenced(error) {
                // Another's already; the next look tells.
                continue
            }
        }
    }
}
