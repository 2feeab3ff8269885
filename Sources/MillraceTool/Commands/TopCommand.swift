internal import ArgumentParser
internal import Millrace
internal import MillraceReport
internal import MillraceSystem
internal import Synchronization

/// `millrace top`: what the groups are doing now.
struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Shows what groups are doing: lag, rows a second, cores.",
        discussion: """
            On a terminal the table is refreshed in place until interrupted; elsewhere it is printed \
            once, and with --json as one JSON document. Rows a second are those that were committed \
            between two looks, and the time left is what the lag takes at that rate. The model version \
            and how long batches took in the last ten seconds (half of them, 99 of 100, 999 of 1,000 \
            at most) are what the processes of stages tell.

            Example: millrace top
            Example: millrace top --interval 5 --json
            """)

    @Option(help: "Seconds between two looks.") var interval = 1.0
    @Flag(help: "Print one JSON document.") var json = false
    @OptionGroup var places: DataOptions

    func validate() throws {
        guard (0.05...3600).contains(interval) else {
            throw ValidationError("--interval is 0.05 to 3600 seconds")
        }
    }

    func run() throws {
        Signals.ignoreBrokenPipesAndFileSizes()
        try ExitStatus.coded {
            let catalog = GroupCatalog(try DataDirectory(places.data, create: false))
            let stop = Stop()
            Signals.onInterrupt { stop.set() }
            var view = GroupView()
            try view.look(at: catalog, data: places.data)
            var frame = ProgressFrame()
            repeat {
                stop.sleep(seconds: interval)
                guard !stop.isSet else { return }
                try view.look(at: catalog, data: places.data)
                if json { return try JSONText.print(view.groups) }
                guard let window = TerminalWindow(1) else {
                    for line in view.table.linesOnOutput() { print(line) }
                    return
                }
                // The cursor stands below the last line.
                let lines = view.table.lines(limit: window.columns).prefix(max(window.rows - 1, 1))
                var output = TextOutput(1)
                output.append(Array(frame.replace(Array(lines), in: window).utf8))
                guard try output.flush() else { return }
            } while !stop.isSet
        }
    }

    /// Whether an end was asked for.
    private final class Stop: Sendable {
        private let flag = Atomic<Bool>(false)

        var isSet: Bool { flag.load(ordering: .relaxed) }

        func set() { flag.store(true, ordering: .relaxed) }

        /// Sleeps, but no longer than until an end is asked for.
        func sleep(seconds: Double) {
            let end = Clock.monotonicNanoseconds() + Int64(seconds * 1e9)
            while !isSet {
                let left = end - Clock.monotonicNanoseconds()
                guard left > 0 else { return }
                PinnedThread.sleep(nanoseconds: min(left, 50_000_000))
            }
        }
    }
}

/// The groups as two looks have found them.
struct GroupView {
    /// What a script gets of a group.
    struct Group: Encodable {
        let group: String
        let state: String
        let members: Int
        let cores: [Int]
        let topics: [String]
        let partitions: Int
        let committed: UInt64
        let lag: UInt64
        /// Rows committed a second since the look before; 0 for a group that is new.
        let rowsPerSecond: Double
        /// The versions of the model that processes of a stage use.
        let modelVersions: [Int]
        /// How long batches took in the last ten seconds: of several processes, the slowest.
        let latency: BatchLatency?

        /// Seconds that the lag takes at this rate; nil while nothing moves.
        var secondsLeft: Double? {
            guard lag > 0, rowsPerSecond > 0 else { return nil }
            return Double(lag) / rowsPerSecond
        }
    }

    private(set) var groups: [Group] = []
    private var time: Int64 = 0

    /// Looks at every group; one that is deleted meanwhile is left out.
    mutating func look(at catalog: GroupCatalog, data: String) throws {
        let now = Clock.monotonicNanoseconds()
        let seconds = Double(now - time) / 1e9
        let before = Dictionary(groups.map { ($0.group, $0.committed) }) { first, _ in first }
        var found: [Group] = []
        for name in try catalog.names() {
            do throws(GroupError) {
                found.append(
                    Self.group(
                        try catalog.describe(name), StageReport.all(of: name, data: data),
                        before[name], seconds))
            } catch {
                guard error.code == .noSuchGroup else { throw error }
            }
        }
        let logged = Set(found.map(\.group))
        for name in StageReport.groups(data: data) where !logged.contains(name) {
            let reports = StageReport.all(of: name, data: data)
            if let group = Self.kafkaGroup(name, reports, before[name], seconds) {
                found.append(group)
            }
        }
        groups = found
        time = now
    }

    /// What the processes here tell of their parts in a group of Kafka; nil where none is in one.
    private static func kafkaGroup(
        _ name: String, _ reports: [StageReport], _ before: UInt64?, _ seconds: Double
    ) -> Group? {
        let shares = reports.compactMap(\.kafka)
        guard !shares.isEmpty else { return nil }
        let done = UInt64(shares.reduce(0) { $0 + $1.rows })
        let rows = done - min(before ?? done, done)
        return Group(
            group: name, state: "kafka", members: shares.count,
            cores: Set(shares.flatMap(\.cores)).sorted(),
            topics: Set(shares.map(\.topic)).sorted(),
            partitions: shares.reduce(0) { $0 + $1.partitions.count }, committed: done,
            lag: UInt64(shares.reduce(0) { $0 + max(0, $1.lag) }),
            rowsPerSecond: seconds > 0 ? Double(rows) / seconds : 0,
            modelVersions: Set(reports.compactMap(\.modelVersion)).sorted(),
            latency: reports.compactMap(\.latency).max { $0.p99 < $1.p99 })
    }

    private static func group(
        _ description: GroupDescription, _ reports: [StageReport], _ before: UInt64?,
        _ seconds: Double
    ) -> Group {
        let present = description.members.filter(\.isPresent)
        let committed = description.partitions.reduce(0) { $0 + ($1.committed ?? 0) }
        // A group that was set back has committed fewer rows than before.
        let rows = committed - min(before ?? committed, committed)
        return Group(
            group: description.name, state: description.state.rawValue, members: present.count,
            cores: Set(present.map(\.core)).sorted(),
            topics: Set(description.partitions.map(\.partition.topic)).sorted(),
            partitions: description.partitions.count, committed: committed,
            lag: description.partitions.reduce(0) { $0 + ($1.lag ?? 0) },
            rowsPerSecond: seconds > 0 ? Double(rows) / seconds : 0,
            modelVersions: Set(reports.compactMap(\.modelVersion)).sorted(),
            latency: reports.compactMap(\.latency).max { $0.p99 < $1.p99 })
    }

    /// Such as `312 us`; nothing where nobody tells.
    private static func text(_ microseconds: Double?) -> String {
        microseconds.map { NumberText.duration(seconds: $0 / 1e6) } ?? ""
    }

    /// What matters most comes first: a narrow window leaves out what is at the right.
    var table: TextTable {
        TextTable(
            columns: [
                .text("group"), .text("state"), .number("lag"), .number("rows/s"),
                .number("left"), .text("version"), .number("p50"), .number("p99"), .number("p99.9"),
                .number("members"), .text("cores"), .number("partitions"),
                .number("committed"), .text("topics"),
            ],
            rows: groups.map {
                [
                    $0.group, $0.state, NumberText.count(Int($0.lag)),
                    NumberText.compact($0.rowsPerSecond),
                    $0.secondsLeft.map { NumberText.duration(seconds: $0) } ?? "-",
                    $0.modelVersions.map { "\($0)" }.joined(separator: ","),
                    Self.text($0.latency?.p50), Self.text($0.latency?.p99),
                    Self.text($0.latency?.p999), "\($0.members)", CoreList.text($0.cores),
                    "\($0.partitions)",
                    NumberText.count(Int($0.committed)), $0.topics.joined(separator: ", "),
                ]
            })
    }
}
