internal import Foundation
internal import Glibc
internal import Millrace
internal import Synchronization

/// How long it takes, from the SIGKILL of a member, until the survivor works on all partitions.
///
/// Two processes share 64 partitions. The one that is killed holds 100 MB of memory of its own,
/// which the kernel takes back first. To work on a partition is to have its reader open at the
/// output's tail, its output claimed against the dead owner, and to have looked for rows once.
enum Rebalance {
    private static let partitions = 64
    private static let privateBytes = 100 << 20

    static func run(rounds: Int) throws {
        let directory = try GroupRecord.workDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let data = try DataDirectory(directory, create: true)
        let configuration = TopicConfiguration(partitions: partitions, kind: .bytes)
        let source = try data.topic("in", creating: configuration)
        _ = try data.topic("out", creating: configuration)
        for partition in 0..<partitions {
            var writer = try source.writer(partition: partition)
            var builder = BatchBuilder()
            builder.append(value: "row".utf8)
            try writer.append(&builder)
        }
        let times = try measure(directory, rounds: rounds).map { $0 * 1000 }
        print(
            "rebalance of \(partitions) partitions after SIGKILL, ms from the kill: "
                + "\(GroupRecord.spread(times)), largest \(times.max() ?? 0), "
                + "\(times.count) rounds")
    }

    private static func measure(_ directory: String, rounds: Int) throws -> [Double] {
        let killedAt = Atomic<UInt64>(0)
        let owned = Atomic<Int>(0)
        let finished = Mutex<Double>(0)
        let isDone = Atomic<Bool>(false)
        let thread = Thread {
            do {
                try work(directory) { count in
                    if count == partitions, killedAt.load(ordering: .acquiring) != 0 {
                        finished.withLock { if $0 == 0 { $0 = GroupRecord.now() } }
                    }
                    owned.store(count, ordering: .releasing)
                    return !isDone.load(ordering: .acquiring)
                }
            } catch {
                print("\(error)")
                exit(1)
            }
        }
        thread.start()
        var times: [Double] = []
        for _ in 0..<rounds {
            finished.withLock { $0 = 0 }
            let child = Process()
            child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            child.arguments = ["member", directory]
            try child.run()
            while owned.load(ordering: .acquiring) != partitions / 2 { usleep(1000) }
            // Both are at work for a while.
            usleep(100_000)
            let begun = GroupRecord.now()
            killedAt.store(1, ordering: .releasing)
            kill(child.processIdentifier, SIGKILL)
            while finished.withLock({ $0 }) == 0 { usleep(200) }
            times.append(finished.withLock { $0 } - begun)
            killedAt.store(0, ordering: .releasing)
            child.waitUntilExit()
        }
        isDone.store(true, ordering: .releasing)
        while !thread.isFinished { usleep(1000) }
        return times
    }

    /// The member that is killed.
    static func member(directory: String) throws {
        var memory = [UInt8](repeating: 1, count: privateBytes)
        memory[0] = UInt8.random(in: 0...9)
        try work(directory) { _ in true }
        print(memory[0])
    }

    /// Works until `look`, told on how many partitions, says no.
    private static func work(
        _ directory: String, _ look: @escaping @Sendable (Int) -> Bool
    ) throws {
        let data = try DataDirectory(directory, create: false)
        let (source, output) = (try data.topic("in"), try data.topic("out"))
        let group = try ConsumerGroup(
            data: data, name: "score", topics: [source], outputs: [output], cores: [0])
        try group.run { consumer in
            var lanes: [GroupConsumer.Claim: Lane] = [:]
            var goesOn = true
            while goesOn {
                if let changes = try consumer.changes() {
                    for claim in changes.revoked + changes.lost { lanes[claim] = nil }
                    if !changes.revoked.isEmpty { try consumer.release(changes.revoked) }
                    for claim in changes.granted {
                        lanes[claim] = try Lane(claim, source, output)
                    }
                }
                for lane in lanes.values { try lane.step(consumer) }
                goesOn = look(lanes.count)
                usleep(200)
            }
        }
    }

    /// The work on one partition.
    private final class Lane {
        private let claim: GroupConsumer.Claim
        private var reader: PartitionReader?
        private var writer: PartitionWriter?
        private var origin = BatchOrigin()

        init(_ claim: GroupConsumer.Claim, _ source: Topic, _ output: Topic) throws {
            let partition = claim.partition.partition
            self.claim = claim
            let writer = try output.writer(
                partition: partition,
                claim: OutputClaim(
                    group: "group:score", source: source.reference, sourcePartition: partition,
                    generation: claim.generation, isContested: claim.isContested))
            reader = try source.reader(partition: partition, from: writer.claimedEnd ?? 0)
            self.writer = consume writer
            origin.group = try output.dictionaryID(of: "group:score")
            origin.source = try output.dictionaryID(of: source.reference)
            origin.sourcePartition = UInt32(partition)
            origin.generation = claim.generation
        }

        func step(_ consumer: GroupConsumer) throws {
            guard var reader = reader.take() else { return }
            try step(&reader, consumer)
            self.reader = consume reader
        }

        private func step(_ reader: inout PartitionReader, _ consumer: GroupConsumer) throws {
            guard let batch = try reader.next() else { return }
            var builder = BatchBuilder()
            builder.append(value: "output".utf8)
            origin.begin = batch.baseOffset + UInt64(batch.skippedRows)
            origin.end = batch.endOffset
            builder.origin = origin
            try writer?.append(&builder)
            try consumer.commit(claim, next: batch.endOffset)
        }
    }
}
