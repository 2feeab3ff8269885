import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Processes that append, roll, flush, open and read, killed at random instants.
///
/// `MILLRACE_KILLS` sets how many, over all codecs.
@Suite(.serialized) struct WorkerKillTests {
    private static let partitions = 3
    private static let kills = Environment.number("MILLRACE_KILLS", or: 300)

    /// One process and what it does.
    private struct Job {
        let child: ChildProcess
        let partition: Int
        /// The number of a process that appends.
        let producer: UInt32?
    }

    /// One topic, and what is known of it.
    private final class Workshop {
        let directory: TemporaryDirectory
        let topic: Topic
        var oracles: [AppendOracle]
        var producers: UInt32 = 0
        var batches = 0
        var unacknowledged = 0

        init(_ codec: Codec) throws {
            directory = try TemporaryDirectory("millrace-kill")
            topic = try DataDirectory(directory.path, create: true).topic(
                "rows",
                creating: TopicConfiguration(
                    partitions: partitions, kind: .bytes, codec: codec, segmentBytes: 1 << 16))
            oracles = Array(repeating: AppendOracle(), count: partitions)
        }

        func notes(_ producer: UInt32) -> String { directory.file("notes-\(producer)") }

        func start(
            _ command: String, _ partition: Int, _ more: [String] = [], producer: UInt32? = nil
        ) throws -> Job {
            let place = ["data=\(directory.path)", "topic=rows", "partition=\(partition)"]
            let child = try ChildProcess(
                ChildProcess.besideUs("MillraceLogWorker"), [command] + place + more)
            return Job(child: child, partition: partition, producer: producer)
        }

        /// Starts a process that appends, under a number of its own.
        func startAppending(_ partition: Int, flush: Int) throws -> Job {
            producers += 1
            return try start(
                "append", partition,
                ["producer=\(producers)", "notes=\(notes(producers))", "flush=\(flush)"],
                producer: producers)
        }

        /// Reads what is new in a partition.
        func look(_ partition: Int) throws {
            var reader = try topic.reader(
                partition: partition, from: oracles[partition].nextOffset)
            while let batch = try reader.next() { oracles[partition].see(batch) }
        }

        /// Compares what a process that has ended was promised with what is there.
        func judge(_ producer: UInt32, _ partition: Int) throws -> [String] {
            guard Files.exists(notes(producer)) else {
                return oracles[partition].verdict(on: producer, [])
            }
            guard let promises = try PromiseFile.read(notes(producer)) else {
                return ["the notes of producer \(producer) are damaged"]
            }
            batches += promises.count { $0.kind == .appended }
            unacknowledged += oracles[partition].unacknowledged(producer, promises)
            return oracles[partition].verdict(on: producer, promises)
        }
    }

    /// A process for each partition, and a reader.
    private static func jobs(_ shop: Workshop, _ random: inout SplitMix64) throws -> [Job] {
        var jobs: [Job] = []
        for partition in 0..<partitions {
            switch random.next() % 6 {
            case 0: jobs.append(try shop.start("recover", partition))
            case 1: jobs.append(try shop.startAppending(partition, flush: 5))
            default: jobs.append(try shop.startAppending(partition, flush: 0))
            }
        }
        jobs.append(try shop.start("read", Int(random.next() % UInt64(partitions))))
        return jobs
    }

    @Test(arguments: Codec.allCases) func whatWasAcknowledgedIsThere(_ codec: Codec) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("worker kills, codec \(codec), seed \(seed)")
        var random = SplitMix64(seed: seed)
        let shop = try Workshop(codec)
        var kills = 0
        while kills < Self.kills / Codec.allCases.count {
            let jobs = try Self.jobs(shop, &random)
            for job in jobs { #expect(job.child.readLine() == "ready", "seed \(seed)") }
            // Some are killed while they open, most while they work.
            PinnedThread.sleep(nanoseconds: Int64(random.unit() * 15e6))
            for job in jobs.shuffled(using: &random) {
                job.child.kill()
                PinnedThread.sleep(nanoseconds: Int64(random.unit() * 1e6))
            }
            for job in jobs {
                let ending = job.child.wait()
                #expect(
                    ending == .signal(SIGKILL), "\(job.child.readToEnd()), seed \(seed)")
                kills += 1
            }
            for job in jobs {
                guard let producer = job.producer else { continue }
                try shop.look(job.partition)
                #expect(try shop.judge(producer, job.partition) == [], "seed \(seed)")
            }
        }
        for partition in 0..<Self.partitions {
            #expect(shop.oracles[partition].faults == [], "seed \(seed)")
            // The same from the first row on, in one go and by somebody else.
            let reader = try shop.start("check", partition)
            let said = reader.child.readToEnd()
            #expect(reader.child.wait() == .code(0), "\(said), seed \(seed)")
            #expect(said.last == "rows \(shop.oracles[partition].nextOffset)", "seed \(seed)")
        }
        print("\(kills) kills, \(shop.batches) batches, \(shop.unacknowledged) unacknowledged")
        #expect(shop.batches > kills)
    }
}
