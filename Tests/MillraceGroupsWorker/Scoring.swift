import Glibc
import MillraceGroups
import MillraceLog
import MillraceSystem
import MillraceTestSupport

/// A member that makes of each source row one output row, as a stage does: the row's offset, and
/// who made it.
struct Scoring: Sendable {
    private let source: Topic
    private let output: Topic
    private let group: ConsumerGroup
    private let worker: UInt32
    private let notes: String

    init(_ options: Options) throws {
        let place = try options.text("data")
        if let stop = StopBeforeWrite(
            options.text("stop", or: ""), after: try options.number("after", or: 0))
        {
            DiskObservation.install(stop, on: place)
        }
        let data = try DataDirectory(place, create: false)
        let source = try data.topic(options.text("from"))
        let output = try data.topic(options.text("to"))
        worker = UInt32(try options.number("worker"))
        notes = try options.text("notes")
        let cores = CPU.allowed().prefix(try options.number("cores", or: 1))
        let instance = options.text("instance", or: "")
        blockTermination()
        group = try ConsumerGroup(
            data: data, name: try options.text("group"), topics: [source], outputs: [output],
            cores: Array(cores),
            options: MemberOptions(
                instance: instance.isEmpty ? nil : instance,
                graceMilliseconds: try options.number("grace", or: 30_000),
                hangMilliseconds: try options.number("hang", or: 30_000)))
        self.source = source
        self.output = output
        if options.text("stop", or: "") == "join" {
            say("stopped")
            raise(SIGSTOP)
        }
        if try options.number("forks", or: 0) > 0 { say("child \(try Forking.leaveChild())") }
    }

    func run() throws {
        let group = group
        _ = try PinnedThread(name: "signals", core: nil) {
            var set = sigset_t()
            unsafe sigemptyset(&set)
            unsafe sigaddset(&set, SIGTERM)
            var signal: Int32 = 0
            unsafe sigwait(&set, &signal)
            group.drain()
        }
        say("ready")
        try group.run { consumer in
            var lanes: [GroupConsumer.Claim: Lane] = [:]
            // What is owned and not begun with, since its output was another's a moment ago.
            var waiting: Set<GroupConsumer.Claim> = []
            while !group.isDraining {
                if let changes = try consumer.changes() {
                    try follow(changes, consumer, &lanes, &waiting)
                }
                try begin(&lanes, &waiting)
                var hasWorked = false
                for (claim, lane) in lanes {
                    do { if try lane.step(consumer) { hasWorked = true } } catch {
                        guard Self.isFenced(error) else { throw error }
                        say("refused")
                        lanes[claim] = nil
                        waiting.insert(claim)
                    }
                    if consumer.mayHaveChanged { break }
                }
                if !hasWorked { PinnedThread.sleep(nanoseconds: 200_000) }
            }
        }
    }

    private func follow(
        _ changes: GroupConsumer.Changes, _ consumer: GroupConsumer,
        _ lanes: inout [GroupConsumer.Claim: Lane], _ waiting: inout Set<GroupConsumer.Claim>
    ) throws {
        for claim in changes.revoked + changes.lost {
            lanes[claim] = nil
            waiting.remove(claim)
        }
        if !changes.revoked.isEmpty { try consumer.release(changes.revoked) }
        let file = try PromiseFile(notes)
        for claim in changes.granted {
            // Who owned what: nobody else may ever note the same partition and generation.
            try file.note(
                Promise(
                    first: UInt64(claim.generation), baseOffset: UInt64(getpid()),
                    rows: UInt32(claim.partition.partition), kind: .seen,
                    checksum: worker << 8 | UInt32(consumer.index)))
            waiting.insert(claim)
        }
    }

    private func begin(
        _ lanes: inout [GroupConsumer.Claim: Lane], _ waiting: inout Set<GroupConsumer.Claim>
    ) throws {
        for claim in waiting {
            do {
                lanes[claim] = try Lane(claim, source, output, group.name, worker)
                waiting.remove(claim)
            } catch {
                guard Self.isFenced(error) else { throw error }
            }
        }
    }

    private static func isFenced(_ error: any Error) -> Bool {
        (error as? LogError)?.code == .fenced || (error as? GroupError)?.code == .fenced
    }
}

/// Leaves SIGTERM to the thread that waits for it; to be called before there are others.
private func blockTermination() {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, SIGTERM)
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
}

/// The work on one partition.
private final class Lane {
    private let claim: GroupConsumer.Claim
    private let worker: UInt32
    private var template = BatchOrigin()
    private var writer: PartitionWriter?
    private var reader: PartitionReader?

    init(
        _ claim: GroupConsumer.Claim, _ source: Topic, _ output: Topic, _ group: String,
        _ worker: UInt32
    ) throws {
        let partition = claim.partition.partition
        self.claim = claim
        self.worker = worker
        template.group = try output.dictionaryID(of: "group:" + group)
        template.source = try output.dictionaryID(of: source.reference)
        template.sourcePartition = UInt32(partition)
        template.generation = claim.generation
        let writer = try output.writer(
            partition: partition,
            claim: OutputClaim(
                group: "group:" + group, source: source.reference, sourcePartition: partition,
                generation: claim.generation, isContested: claim.isContested))
        reader = try source.reader(partition: partition, from: writer.claimedEnd ?? 0)
        self.writer = consume writer
    }

    func step(_ consumer: GroupConsumer) throws -> Bool {
        guard var reader = reader.take() else { return false }
        let hasWorked = try step(&reader, consumer)
        self.reader = consume reader
        return hasWorked
    }

    private func step(
        _ reader: inout PartitionReader, _ consumer: GroupConsumer
    ) throws -> Bool {
        guard let batch = try reader.next() else { return false }
        var builder = BatchBuilder()
        for row in batch.skippedRows..<batch.rows {
            builder.append(value: "\(batch.baseOffset + UInt64(row)) \(worker)".utf8)
        }
        var origin = template
        origin.begin = batch.baseOffset + UInt64(batch.skippedRows)
        origin.end = batch.endOffset
        origin.sourceEpoch = batch.epoch
        builder.origin = origin
        try writer?.append(&builder)
        try consumer.commit(claim, next: batch.endOffset)
        return true
    }
}
