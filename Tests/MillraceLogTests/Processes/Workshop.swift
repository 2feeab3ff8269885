import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// One topic, the processes that work on it, and what is known of their rows.
final class Workshop {
    /// What a process does.
    enum Duty: Equatable {
        /// It appends, under a number of its own.
        case appending(producer: UInt32)
        case reading(notes: String)
        case other
    }

    /// One process.
    struct Job {
        let child: ChildProcess
        let partition: Int
        let duty: Duty

        var producer: UInt32? {
            if case .appending(let producer) = duty { producer } else { nil }
        }
    }

    let directory: TemporaryDirectory
    let topic: Topic
    let isTrimmed: Bool
    /// The producers of each partition, those that have ended included.
    private(set) var producers: [[UInt32]]
    private var oracles: [AppendOracle]
    private var counter: UInt32 = 0
    private var readers = 0

    init(_ configuration: TopicConfiguration) throws {
        directory = try TemporaryDirectory("millrace-workshop")
        topic = try DataDirectory(directory.path, create: true)
            .topic("rows", creating: configuration)
        isTrimmed = configuration.retention.isActive
        producers = Array(repeating: [], count: configuration.partitions)
        oracles = Array(repeating: AppendOracle(), count: configuration.partitions)
    }

    func notes(_ producer: UInt32) -> String { directory.file("notes-\(producer)") }

    /// How many batches a producer was acknowledged.
    func progress(_ producer: UInt32) throws -> Int { try PromiseFile.count(notes(producer)) }

    // MARK: - Processes

    func start(
        _ command: String, _ partition: Int = 0, _ more: [String] = [], duty: Duty = .other
    ) throws -> Job {
        let place = ["data=\(directory.path)", "topic=rows", "partition=\(partition)"]
        let child = try ChildProcess(
            ChildProcess.besideUs("MillraceLogWorker"), [command] + place + more)
        return Job(child: child, partition: partition, duty: duty)
    }

    /// Starts a process that appends; `again` under the number and name that it had before.
    func startAppending(
        _ partition: Int = 0, _ more: [String] = [], again: UInt32? = nil
    ) throws -> Job {
        let producer = again ?? counter + 1
        if again == nil {
            counter += 1
            producers[partition].append(producer)
        }
        return try start(
            "append", partition, ["producer=\(producer)", "notes=\(notes(producer))"] + more,
            duty: .appending(producer: producer))
    }

    /// Starts a process that reads and notes what it sees.
    func startReading(_ partition: Int = 0, wait: WaitStrategy) throws -> Job {
        readers += 1
        let notes = directory.file("seen-\(readers)")
        return try start(
            "read", partition,
            ["wait=\(wait)", "notes=\(notes)", "trimmed=\(isTrimmed ? 1 : 0)"],
            duty: .reading(notes: notes))
    }

    // MARK: - What must hold

    /// Reads what is new in a partition, or everything where retention removes rows.
    private func look(_ partition: Int) throws {
        if isTrimmed {
            oracles[partition] = AppendOracle(from: try topic.startOffset(partition: partition))
        }
        var oracle = oracles[partition]
        var reader = try topic.reader(partition: partition, from: oracle.nextOffset)
        while let batch = try reader.next() { oracle.see(batch) }
        oracles[partition] = oracle
    }

    /// What is wrong, now that nobody works, with the rows of producers that have ended.
    ///
    /// `jobs` are the processes that ended last; the rest was judged before.
    func judge(_ jobs: [Job]) throws -> [String] {
        var faults: [String] = []
        for partition in Set(jobs.map(\.partition)) {
            try look(partition)
            faults += oracles[partition].faults
        }
        for job in jobs {
            let oracle = oracles[job.partition]
            switch job.duty {
            case .appending(let producer): faults += try judge(producer, oracle)
            case .reading(let notes):
                guard Files.exists(notes) else { continue }
                guard let seen = try PromiseFile.read(notes) else {
                    faults.append("\(notes) is damaged")
                    continue
                }
                faults += oracle.verdict(onSeen: seen)
            case .other: continue
            }
        }
        return faults
    }

    private func judge(_ producer: UInt32, _ oracle: AppendOracle) throws -> [String] {
        guard Files.exists(notes(producer)) else { return oracle.verdict(on: producer, []) }
        guard let promises = try PromiseFile.read(notes(producer)) else {
            return ["the notes of producer \(producer) are damaged"]
        }
        return oracle.verdict(on: producer, promises)
    }

    /// What is wrong in the end, from the first row on: with all rows, of all producers.
    func judgeAll() throws -> [String] {
        var faults: [String] = []
        for partition in producers.indices {
            oracles[partition] = AppendOracle()
            try look(partition)
            faults += oracles[partition].faults
            for producer in producers[partition] {
                faults += try judge(producer, oracles[partition])
            }
            // A partition that was recovered before anybody appended begins, and ends, further on.
            let end = max(
                oracles[partition].nextOffset, try topic.startOffset(partition: partition))
            // The same by a process that has nothing to do with this one.
            let check = try start("check", partition, ["trimmed=\(isTrimmed ? 1 : 0)"])
            let said = check.child.readToEnd()
            if check.child.wait() != .code(0)
                || said.last != "rows \(end)"
            {
                faults.append("another process reads: \(said)")
            }
        }
        return faults + (try verify())
    }

    /// What verification finds in the files that hold the log.
    private func verify() throws -> [String] {
        let verification = try DataDirectory(directory.path, create: false).verifyTopic("rows")
        return try verification.faults.filter { fault in
            // What a process that died left below the start is no part of the log.
            guard let partition = fault.partition,
                let name = fault.path.split(separator: "/").last,
                let base = UInt64(name.prefix { $0 != "-" })
            else { return true }
            return try base >= control(partition).startPosition()
        }.map { "verification: \($0)" }
    }

    /// Batches in the log that nobody acknowledged, and those that somebody did.
    func tally() throws -> (acknowledged: Int, unacknowledged: Int) {
        var tally = (acknowledged: 0, unacknowledged: 0)
        for partition in producers.indices {
            for producer in producers[partition] where Files.exists(notes(producer)) {
                let promises = try PromiseFile.read(notes(producer)) ?? []
                tally.acknowledged += Set(promises.map(\.first)).count
                tally.unacknowledged += oracles[partition].unacknowledged(producer, promises)
            }
        }
        return tally
    }

    /// How often writers were succeeded or the partition recovered.
    func epochs() throws -> UInt64 {
        try (0..<topic.partitions).reduce(0) {
            try $0 + control($1).publishedValue().epoch - 1
        }
    }

    /// The word of a partition's append lock, when somebody holds the lock.
    func appendLock(_ partition: Int = 0) throws -> UInt64? {
        let word = try control(partition).appender.loadAcquiring()
        return word & 0xFF_FFFF == 0 ? nil : word
    }

    /// Makes the next opening believe that the machine was restarted. Nobody may be at work.
    func pretendMachineRestarted() throws {
        for partition in 0..<topic.partitions {
            let control = try control(partition)
            control.boot.storeReleasing(CheckedWord.seal(try control.bootValue() ^ 0xFFFF))
        }
    }

    private func control(_ partition: Int) throws -> ControlPage {
        try topic.files(partition).openControl(writable: true)
    }
}
