import Glibc
import MillraceGroups
import MillraceLog
import MillraceSystem
import MillraceTestSupport

/// A topic that is scored into another, the processes that do it, and what must hold in the end.
final class GroupWorkshop {
    /// A process that is in the group or was.
    final class Scorer {
        let child: ChildProcess
        let worker: Int
        let instance: String?
        var isStopped = false

        init(_ child: ChildProcess, worker: Int, instance: String?) {
            self.child = child
            self.worker = worker
            self.instance = instance
        }
    }

    let directory: TemporaryDirectory
    let data: DataDirectory
    let source: Topic
    let output: Topic
    private(set) var scorers: [Scorer] = []
    private var producers: [ChildProcess] = []
    private var workers = 0
    private var notes: String { directory.file("owners") }
    static let group = "score"

    init(partitions: Int) throws {
        directory = try TemporaryDirectory("millrace-group-oracle", inMemory: true)
        data = try DataDirectory(directory.path, create: true)
        let configuration = TopicConfiguration(
            partitions: partitions, kind: .bytes, segmentBytes: 1 << 18)
        source = try data.topic("in", creating: configuration)
        output = try data.topic("out", creating: configuration)
    }

    private static let program = ChildProcess.besideUs("MillraceGroupsWorker")

    /// Starts a producer for each partition.
    func startProducers(pauseMicroseconds: Int) throws {
        for partition in 0..<source.partitions {
            let child = try ChildProcess(
                Self.program,
                [
                    "produce", "data=\(directory.path)", "topic=in", "partition=\(partition)",
                    "pause=\(pauseMicroseconds)",
                ])
            producers.append(child)
        }
        for producer in producers { _ = producer.readLine() }
    }

    /// Kills the producers, wherever they are.
    func killProducers() {
        for producer in producers { producer.kill() }
        for producer in producers { _ = producer.wait() }
        producers = []
    }

    /// Starts a member; does not wait until it works.
    @discardableResult
    func startScorer(
        cores: Int = 1, hang: Int, instance: String? = nil, grace: Int = 200, _ more: [String] = []
    ) throws -> Scorer {
        workers += 1
        var arguments = [
            "score", "data=\(directory.path)", "from=in", "to=out", "group=\(Self.group)",
            "worker=\(workers)", "notes=\(notes)", "cores=\(cores)", "hang=\(hang)",
            "grace=\(grace)",
        ]
        if let instance { arguments.append("instance=\(instance)") }
        let scorer = Scorer(
            try ChildProcess(Self.program, arguments + more), worker: workers, instance: instance)
        scorers.append(scorer)
        return scorer
    }

    /// Ends a member: as its death, or as it wishes.
    ///
    /// - Returns: what is wrong with how it ended.
    func end(_ scorer: Scorer, kill: Bool) -> [String] {
        scorers.removeAll { $0 === scorer }
        if kill {
            scorer.child.kill()
        } else {
            if scorer.isStopped { scorer.child.resume() }
            scorer.child.terminate()
        }
        let ending = scorer.child.wait()
        let lines = scorer.child.readToEnd()
        let said = lines.filter {
            !["ready", "stopped", "refused"].contains($0) && !$0.hasPrefix("child ")
        }
        // One that has not begun yet has not said either what the signal is to do.
        let isEarly = ending == .signal(SIGTERM) && !lines.contains("ready")
        let isRight = kill ? ending == .signal(SIGKILL) : ending == .code(0) || isEarly
        // One that comes back too early under the name of one that lives is told so.
        let isRefused = said.contains { $0.contains("instance id") }
        return isRight || isRefused ? [] : ["worker \(scorer.worker) ended by \(ending): \(said)"]
    }

    /// Waits until every source row has its outcome; false when that takes longer than a minute.
    func waitUntilScored() throws -> Bool {
        try waitUntil { try self.rest() == 0 }
    }

    /// Source rows that have no outcome yet.
    func rest() throws -> UInt64 {
        var rest: UInt64 = 0
        for partition in 0..<source.partitions {
            // A producer that was killed may have published rows that nobody has counted.
            rest +=
                try source.publishedEnd(partition: partition)
                - output.endOffset(partition: partition)
        }
        return rest
    }

    /// Gives the group some time to settle; one whose members are stopped may not.
    func letSettle() {
        for _ in 0..<200 {
            do {
                let group = try GroupCatalog(data).describe(Self.group)
                if group.state == .stable, group.members.count >= scorers.count { return }
            } catch {
                // Nobody has made the group yet.
            }
            PinnedThread.sleep(nanoseconds: 1_000_000)
        }
    }

    /// Waits for something that is bound to happen; false when it has not for a minute.
    func waitUntil(_ condition: () throws -> Bool) throws -> Bool {
        let end = Clock.monotonicNanoseconds() + 60_000_000_000
        while try !condition() {
            if Clock.monotonicNanoseconds() > end { return false }
            PinnedThread.sleep(nanoseconds: 500_000)
        }
        return true
    }

    /// What is wrong: rows without an outcome, with two, or out of order; a generation with two
    /// owners.
    func judge() throws -> [String] {
        var faults: [String] = []
        var authors: [String: String] = [:]
        for partition in 0..<source.partitions {
            let end = try source.endOffset(partition: partition)
            var next: UInt64 = 0
            var generation: UInt32 = 0
            var reader = try output.reader(partition: partition)
            while let batch = try reader.next() {
                guard let origin = batch.origin else {
                    faults.append("partition \(partition): a batch without an origin")
                    break
                }
                if origin.generation < generation {
                    faults.append("partition \(partition): generation \(origin.generation) late")
                }
                generation = origin.generation
                for row in 0..<batch.rows {
                    let value = batch.value(row)
                    let text = String(decoding: value.indices.map { value[$0] }, as: UTF8.self)
                    let parts = text.split(separator: " ")
                    guard parts.count == 2, UInt64(parts[0]) == next else {
                        faults.append("partition \(partition): '\(text)' instead of \(next)")
                        return faults
                    }
                    next += 1
                    let key = "\(partition) in generation \(generation)"
                    let author = String(parts[1])
                    if authors[key, default: author] != author {
                        faults.append("\(key): \(author) and \(authors[key] ?? "")")
                    }
                    authors[key] = author
                }
            }
            if next != end { faults.append("partition \(partition): \(next) rows of \(end)") }
        }
        return faults + (try judgeOwners())
    }

    private func judgeOwners() throws -> [String] {
        guard let notes = try PromiseFile.read(notes) else { return ["the notes are damaged"] }
        var faults: [String] = []
        var owners: [String: UInt32] = [:]
        for note in notes {
            let key = "partition \(note.rows) in generation \(note.first)"
            if let other = owners[key] { faults.append("\(key): \(note.checksum) and \(other)") }
            owners[key] = note.checksum
        }
        return faults
    }

    /// How often a partition was granted.
    func grants() throws -> Int { try PromiseFile.count(notes) }
}
