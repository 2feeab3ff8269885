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

    /// Whether nothing was left to read at the last look, and not only not here yet.
    var isAtEnd: Bool { get }

    /// Source rows that are there and have no outcome yet; 0 where the topic itself tells.
    var lag: Int { get }
}

extension PartitionTask {
    // What is in the log can be read at once.
    var isAtEnd: Bool { true }
    var lag: Int { 0 }
}

/// Runs the tasks of one slot, those of the partitions that it owns, until their input has ended or
/// the run is stopped.
struct SlotLoop<Member: StageMember> {
    /// How long a slot sleeps when none of its partitions has rows, at first.
    ///
    /// Each time twice as long, up to `longestIdle`: rows that come after rows are seen soon, and a
    /// stage without any takes little of a core. Stages of one run share cores, so they do not spin.
    private static var shortestIdle: Int64 { 50_000 }
    private static var longestIdle: Int64 { 1_000_000 }

    let consumer: Member
    let upstream: Upstream
    let stop: StopFlag
    let status: StageStatus
    /// Slots end together: one that has nothing left may be given the partition of one that fails.
    let vote: EndVote
    private var tasks: [(claim: Member.Claim, task: any PartitionTask)] = []
    /// What is owned and not begun with: its output was another's a moment ago.
    private var waiting: [Member.Claim] = []
    /// What the status was told of the lag.
    private var toldLag = 0

    init(
        consumer: Member, upstream: Upstream, stop: StopFlag, status: StageStatus,
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
        _ make: (Member.Claim) throws -> any PartitionTask, begun: () -> Void = {}
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
        _ make: (Member.Claim) throws -> any PartitionTask
    ) throws {
        var isReady = false
        var idle = Self.shortestIdle
        while !stop.isSet {
            let ended = upstream.hasEnded
            try follow(make)
            let worked = try settledRound()
            if Member.tellsLag { tellLag() }
            if worked {
                if isReady { vote.withdraw() }
                isReady = false
                idle = Self.shortestIdle
                continue
            }
            if ended, waiting.isEmpty, tasks.allSatisfy(\.task.isAtEnd),
                try consumer.isAtRest(), !consumer.mayHaveChanged
            {
                if !isReady { vote.enter() }
                isReady = true
                if vote.isUnanimous { break }
            }
            PinnedThread.sleep(nanoseconds: idle)
            idle = min(2 * idle, Self.longestIdle)
        }
        for (_, task) in tasks { try task.close() }
        try consumer.finish()
    }

    private mutating func tellLag() {
        let lag = tasks.reduce(0) { $0 + $1.task.lag }
        status.change(lag: lag - toldLag)
        toldLag = lag
    }

    private var rowsDone: Int { tasks.reduce(0) { $0 + $1.task.rowsDone } }

    /// One batch of each partition, made to count; false when there was none.
    private mutating func settledRound() throws -> Bool {
        let rows = rowsDone
        do {
            let worked = try round()
            try consumer.settle()
            return worked
        } catch {
            guard try consumer.takeBack(after: error, isStopped: stop.isSet) else { throw error }
            // All that was done since the last time that it counted is to be done again.
            status.takeBack(rows: rowsDone - rows)
            let claims = tasks.map(\.claim)
            drop(Set(claims))
            waiting += claims
            return true
        }
    }

    /// One batch of each partition; false when there was none.
    private mutating func round() throws -> Bool {
        var worked = false
        for (claim, task) in tasks where !stop.isSet {
            let begun = Clock.monotonicNanoseconds()
            do {
                if try task.step() {
                    worked = true
                    status.add(batchNanoseconds: Clock.monotonicNanoseconds() - begun)
                }
            } catch {
                guard Self.isFenced(error) else { throw error }
                // What it tried was refused. The next look at the group tells whether the partition
                // is still owned.
                drop([claim])
                waiting.append(claim)
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
        _ make: (Member.Claim) throws -> any PartitionTask
    ) throws {
        if let changes = try consumer.look() {
            if !changes.revoked.isEmpty { try consumer.finish() }
            drop(Set(changes.revoked + changes.lost))
            if !changes.revoked.isEmpty { try consumer.release(changes.revoked) }
            waiting += changes.granted
        }
        guard !waiting.isEmpty else { return }
        let claims = waiting
        waiting = []
        for claim in claims {
            do {
                let task = try make(claim)
                status.take(over: task.rowsDone)
                tasks.append((claim, task))
            } catch {
                guard Self.isFenced(error) else { throw error }
                waiting.append(claim)
            }
        }
    }

    /// Ends the tasks of some partitions.
    private mutating func drop(_ gone: Set<Member.Claim>) {
        for (claim, task) in tasks where gone.contains(claim) { status.take(over: -task.rowsDone) }
        tasks.removeAll { gone.contains($0.claim) }
        waiting.removeAll { gone.contains($0) }
    }
}
