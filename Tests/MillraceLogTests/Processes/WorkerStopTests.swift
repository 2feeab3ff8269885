import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Processes that append to one partition, stopped at random instants, woken, or killed instead.
///
/// While some are stopped the others go on; what a woken one was about to append is there once.
/// `MILLRACE_STOPS` sets how many.
@Suite(.serialized) struct WorkerStopTests {
    private static let stops = Environment.number("MILLRACE_STOPS", or: 20)
    /// The others have gone on by then. The bound is half a second, and ten where the one that was
    /// stopped had said that it waits for the disk, for each of two roles that it can have had; the
    /// rest is for a busy machine and disk.
    private static let patienceSeconds: Int64 = 60

    /// Waits until a process has been acknowledged so many batches more than `count`.
    private static func goesOn(
        _ shop: Workshop, _ job: Workshop.Job, from count: Int, by more: Int = 1
    ) throws -> Bool {
        let producer = try #require(job.producer)
        let end = Clock.monotonicNanoseconds() + patienceSeconds * 1_000_000_000
        while try shop.progress(producer) < count + more {
            if Clock.monotonicNanoseconds() > end { return false }
            PinnedThread.sleep(nanoseconds: 1_000_000)
        }
        return true
    }

    /// Waits until each of these has gone on from where it is now.
    private static func allGoOn(
        _ shop: Workshop, _ jobs: some Sequence<Workshop.Job>, _ comment: String = "at the start"
    ) throws {
        let counts = try jobs.map { ($0, try shop.progress(#require($0.producer))) }
        for (job, count) in counts where try !goesOn(shop, job, from: count) {
            job.child.kill()
            throw Standstill(comment: comment, said: job.child.readToEnd())
        }
    }

    /// A process that did not go on, and what it said last.
    private struct Standstill: Error {
        let comment: String
        let said: [String]
    }

    private static func start(_ shop: Workshop, _ count: Int) throws -> [Workshop.Job] {
        let jobs = try (0..<count).map {
            try shop.startAppending(0, ["mapped=\($0 % 2)", "rows=300"])
        }
        for job in jobs { #expect(job.child.readLine() == "ready") }
        try allGoOn(shop, jobs)
        return jobs
    }

    /// Stops a process, where it holds the append lock if it can be met there.
    private static func stopInAppend(
        _ shop: Workshop, _ job: Workshop.Job, _ random: inout SplitMix64
    ) throws -> Bool {
        for _ in 0..<100 {
            PinnedThread.sleep(nanoseconds: Int64(random.unit() * 3e6))
            guard job.child.stop() else { return false }
            let word = try shop.appendLock()
            if word != nil {
                // Others take and give it all the time; who stands still keeps it.
                PinnedThread.sleep(nanoseconds: 20_000_000)
                if try shop.appendLock() == word { return true }
            }
            job.child.resume()
        }
        return job.child.stop()
    }

    private static func stop(
        _ shop: Workshop, _ job: Workshop.Job, _ random: inout SplitMix64
    ) throws -> Bool {
        if random.next() % 2 == 0 { return try stopInAppend(shop, job, &random) }
        PinnedThread.sleep(nanoseconds: Int64(random.unit() * 3e6))
        return job.child.stop()
    }

    private static func end(_ shop: Workshop, _ jobs: [Workshop.Job], _ seed: UInt64) throws {
        for job in jobs { job.child.kill() }
        for job in jobs {
            let ending = job.child.wait()
            #expect(ending == .signal(SIGKILL), "\(job.child.readToEnd()), seed \(seed)")
        }
        let faults = try shop.judge(jobs)
        #expect(faults == [], "seed \(seed)")
        let all = try shop.judgeAll()
        #expect(all == [], "seed \(seed)")
    }

    @Test func theOthersGoOnAndTheWokenDoNoHarm() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("worker stops, seed \(seed)")
        var random = SplitMix64(seed: seed)
        let shop = try Workshop(
            TopicConfiguration(kind: .bytes, codec: .none, segmentBytes: 1 << 18))
        var jobs = try Self.start(shop, 3)
        let reader = try shop.startReading(wait: .sleep)
        var ended = [reader]
        var stops = 0
        while stops < Self.stops {
            jobs.shuffle(using: &random)
            // One, or two of three, the second after the first has been succeeded.
            let victims = 1 + Int(random.next() % 2)
            for victim in jobs.prefix(victims) {
                let isStopped = try Self.stop(shop, victim, &random)
                #expect(isStopped, "seed \(seed)")
                stops += 1
                let rest = jobs.suffix(3 - victims)
                try Self.allGoOn(shop, rest, "seed \(seed), after \(stops) stops")
            }
            if random.next() % 5 == 0 {
                // A stopped one is killed, and another comes.
                jobs[0].child.kill()
                ended.append(jobs[0])
                jobs[0] = try shop.startAppending(0, ["rows=300"])
                #expect(jobs[0].child.readLine() == "ready")
            }
            for victim in jobs.prefix(victims) { victim.child.resume() }
            try Self.allGoOn(shop, jobs, "seed \(seed), woken after \(stops) stops")
        }
        try Self.end(shop, jobs + ended, seed)
        let epochs = try shop.epochs()
        print("\(stops) stops, \(epochs) successions, \(try shop.tally())")
        #expect(epochs > 0, "seed \(seed): nobody was stopped in an append")
    }

    /// The one that waits for the disk is stopped there, perhaps: others take the role over.
    @Test func aStoppedFlusherIsSucceeded() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("flusher stops, seed \(seed)")
        var random = SplitMix64(seed: seed)
        let shop = try Workshop(
            TopicConfiguration(kind: .bytes, segmentBytes: 1 << 18, flush: .batch))
        let jobs = try Self.start(shop, 2)
        for stop in 0..<max(1, Self.stops / 20) {
            PinnedThread.sleep(nanoseconds: Int64(random.unit() * 5e6))
            let victim = jobs[stop % 2]
            #expect(victim.child.stop())
            try Self.allGoOn(shop, [jobs[1 - stop % 2]], "seed \(seed), stop \(stop)")
            victim.child.resume()
            try Self.allGoOn(shop, jobs, "seed \(seed), stop \(stop)")
        }
        try Self.end(shop, jobs, seed)
    }

    /// A named producer is stopped, another instance goes on in its place: the first is refused.
    @Test func aStoppedProducerIsReplaced() throws {
        var random = SplitMix64(seed: UInt64.random(in: 0...UInt64.max))
        let shop = try Workshop(TopicConfiguration(kind: .bytes, segmentBytes: 1 << 18))
        for round in 0..<max(2, Self.stops / 10) {
            let first = try shop.startAppending(0, ["named=1"])
            #expect(first.child.readLine() == "ready")
            try Self.allGoOn(shop, [first])
            #expect(try Self.stopInAppend(shop, first, &random))
            let second = try shop.startAppending(0, ["named=1"], again: first.producer)
            #expect(second.child.readLine() == "ready")
            try Self.allGoOn(shop, [second], "round \(round)")
            first.child.resume()
            #expect(first.child.wait() == .code(3), "\(first.child.readToEnd())")
            try Self.allGoOn(shop, [second], "round \(round)")
            try Self.end(shop, [second], 0)
        }
    }

    /// A process is killed whose forked child keeps all its files, and so all its locks.
    @Test func aForkedChildKeepsNobodyWaiting() throws {
        let shop = try Workshop(TopicConfiguration(kind: .bytes, segmentBytes: 1 << 18))
        var random = SplitMix64(seed: UInt64.random(in: 0...UInt64.max))
        let survivor = try shop.startAppending()
        #expect(survivor.child.readLine() == "ready")
        var ended: [Workshop.Job] = []
        var children: [Int32] = []
        defer { for child in children { kill(child, SIGKILL) } }
        for round in 0..<max(4, Self.stops / 5) {
            let parent = try shop.startAppending(0, ["forks=1", "rows=300"])
            #expect(parent.child.readLine() == "ready")
            let line = try #require(parent.child.readLine())
            children.append(try #require(Int32(line.dropFirst("child ".count))))
            try Self.allGoOn(shop, [parent])
            #expect(try Self.stopInAppend(shop, parent, &random))
            parent.child.kill()
            #expect(parent.child.wait() == .signal(SIGKILL))
            ended.append(parent)
            try Self.allGoOn(shop, [survivor], "round \(round)")
            #expect(try kill(#require(children.last), 0) == 0, "the child still lives")
        }
        try Self.end(shop, [survivor] + ended, 0)
        print("\(children.count) forked children, \(try shop.epochs()) successions")
    }
}
