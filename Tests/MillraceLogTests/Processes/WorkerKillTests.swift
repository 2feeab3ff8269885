import Glibc
import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Testing

/// Processes that append, roll, flush, remove, recover and read, killed at random instants.
///
/// `MILLRACE_KILLS` sets how many, over all scenes.
@Suite(.serialized) struct WorkerKillTests {
    private static let partitions = 2
    private static let kills = Environment.number("MILLRACE_KILLS", or: 300)

    /// What the topic is like.
    enum Scene: String, CaseIterable, Sendable {
        case stored, compressed, interval, batch, trimmed

        var configuration: TopicConfiguration {
            TopicConfiguration(
                partitions: WorkerKillTests.partitions, kind: .bytes,
                codec: self == .compressed || self == .trimmed ? .lz4 : .none,
                segmentBytes: 1 << 16,
                flush: self == .interval
                    ? .interval(milliseconds: 2) : self == .batch ? .batch : .none,
                retention: self == .trimmed ? RetentionPolicy(bytes: 200_000) : .keep)
        }
    }

    /// A test's state: processes are started again under names that are known.
    private struct Round {
        let shop: Workshop
        /// A named producer of each partition.
        var named: [UInt32?] = Array(repeating: nil, count: partitions)
        var random: SplitMix64

        /// Two or three processes that append to each partition, and what others do meanwhile.
        mutating func jobs() throws -> [Workshop.Job] {
            var jobs: [Workshop.Job] = []
            for partition in 0..<partitions {
                for _ in 0...Int(random.next() % 2) { jobs.append(try appending(partition)) }
                let again = named[partition]
                let job = try shop.startAppending(partition, ["named=1"] + mode(), again: again)
                named[partition] = job.producer
                jobs.append(job)
            }
            jobs.append(try other(Int(random.next() % UInt64(partitions))))
            let strategies: [WaitStrategy] = [.spin, .yield, .sleep]
            let strategy = strategies[Int(random.next() % 3)]
            let place = Int(random.next() % UInt64(partitions))
            jobs.append(try shop.startReading(place, wait: strategy))
            return jobs
        }

        private mutating func mode() -> [String] { ["mapped=\(random.next() % 2)"] }

        private mutating func appending(_ partition: Int) throws -> Workshop.Job {
            let waits =
                switch random.next() % 6 {
                case 0: ["flush=5"]
                case 1: ["durable=1"]
                default: [String]()
                }
            return try shop.startAppending(partition, waits + mode())
        }

        private mutating func other(_ partition: Int) throws -> Workshop.Job {
            let commands = ["recover", "flush", shop.isTrimmed ? "retain" : "recover"]
            return try shop.start(commands[Int(random.next() % 3)], partition)
        }
    }

    @Test(arguments: Scene.allCases) func whatWasAcknowledgedIsThere(_ scene: Scene) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("worker kills, \(scene), seed \(seed)")
        let shop = try Workshop(scene.configuration)
        var round = Round(shop: shop, random: SplitMix64(seed: seed))
        var kills = 0
        while kills < Self.kills / Scene.allCases.count {
            // Nobody is at work: the machine may go down, without losing anything here.
            if round.random.next() % 4 == 0 { try shop.pretendMachineRestarted() }
            let jobs = try round.jobs()
            try Self.kill(jobs, &round.random, seed)
            kills += jobs.count
            let faults = try shop.judge(jobs)
            #expect(faults == [], "seed \(seed), after \(kills) kills")
            // What is wrong stays wrong.
            if !faults.isEmpty { break }
        }
        let faults = try shop.judgeAll()
        #expect(faults == [], "seed \(seed)")
        let tally = try shop.tally()
        print("\(kills) kills, \(try shop.epochs()) epochs, \(tally)")
        #expect(tally.acknowledged > kills)
    }

    /// Lets processes work for some milliseconds and kills them one after the other.
    private static func kill(
        _ jobs: [Workshop.Job], _ random: inout SplitMix64, _ seed: UInt64
    ) throws {
        for job in jobs {
            let line = job.child.readLine()
            #expect(line == "ready", "seed \(seed)")
        }
        // Some are killed while they open, most while they work.
        PinnedThread.sleep(nanoseconds: Int64(random.unit() * 40e6))
        for job in jobs.shuffled(using: &random) {
            job.child.kill()
            PinnedThread.sleep(nanoseconds: Int64(random.unit() * 2e6))
        }
        for job in jobs {
            let ending = job.child.wait()
            #expect(ending == .signal(SIGKILL), "\(job.child.readToEnd()), seed \(seed)")
        }
    }
}
