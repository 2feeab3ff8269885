internal import ArgumentParser
internal import Millrace
internal import MillracePipeline

/// `millrace consume`: the rows of a topic, printed.
struct ConsumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "consume", abstract: "Prints the rows of a topic.",
        discussion: """
            jsonl: a JSON document a row, with its place, time, key and label, a missing number as \
            null; bytes that are not UTF-8 are shown as U+FFFD. csv: the data alone, as produce takes \
            it again; of predictions, also where they came from. raw: the bytes of a row and a \
            newline, or its numbers as little-endian float32, the label last.

            With --group, what is printed is committed, a batch at a time, and a second run goes on \
            behind it; killed between printing and committing, it prints that batch again. Printed is \
            what a pipe has taken: what it still holds when its reader goes is not printed again, so \
            use --max rather than head. --offset \
            and --time then say where a group begins that has committed nothing. Without, partitions \
            are printed one after the other from the start, or as rows come with --follow. SIGINT ends \
            it behind the last row printed, with code 0 when following, else 130.

            Example: millrace consume flights.scores --max 5
            Example: millrace consume flights.scores --group export --follow | ./load
            Example: millrace consume flights.live --format csv --time 2026-11-25T06:00:00Z
            """)

    @Argument(help: "The topic.") var topic: String
    @Option(help: "Print what this group has not consumed yet, and commit it.") var group: String?
    @Option(
        help: ArgumentHelp(
            "Begin there in each partition. Default: earliest.", valueName: "earliest|latest|n"))
    var offset: OffsetArgument?
    @Option(help: "Begin with rows of this time: seconds since 1970, or 2026-11-25T06:00:00Z.")
    var time: TimeArgument?
    @Option(help: "Only this partition.") var partition: Int?
    @Option(name: .customLong("max"), help: "Print at most this many rows.") var most: Int?
    @Flag(help: "Go on when everything has been printed, until interrupted.") var follow = false
    @Option(help: "How rows are printed.") var format = ConsumeFormat.jsonl
    @Option(
        help: "Where to go on when rows are not there any more: nowhere, or with those that are.")
    var onOutOfRange = OutOfRangePolicy.error
    @OptionGroup var places: DataOptions

    func validate() throws {
        if offset != nil, time != nil {
            throw ValidationError("--offset and --time exclude each other")
        }
        if group != nil, partition != nil {
            throw ValidationError(
                "--group and --partition exclude each other: a group shares out all partitions")
        }
        if let most, most < 0 { throw ValidationError("--max is at least 0") }
    }

    private var start: StartOffset {
        time.map { .time($0.nanoseconds) } ?? offset?.start ?? .earliest
    }

    func run() throws {
        Signals.ignoreBrokenPipesAndFileSizes()
        try ExitStatus.coded {
            let data = try DataDirectory(places.data, create: false)
            let topic = try data.existingTopic(topic)
            topic.expireRows()
            let printing = Printing(try RowPrinter(topic, format: format), most: most ?? .max)
            if let group {
                try GroupPrinting(
                    data: data, group: group, topic: topic, start: start,
                    onOutOfRange: onOutOfRange, follow: follow, printing: printing
                ).run()
            } else {
                try TopicPrinting(
                    topic, partition.map { [$0] } ?? Array(0..<topic.partitions), start: start,
                    onOutOfRange: onOutOfRange, follow: follow, printing: printing
                ).run()
            }
            guard printing.wasInterrupted, !follow else { return }
            throw PipelineError(
                .interrupted, "stopped before the end: \(printing.printed) rows were printed")
        }
    }
}

/// The value of `--offset`.
enum OffsetArgument: ExpressibleByArgument {
    case earliest
    case latest
    case number(UInt64)

    init?(argument: String) {
        switch argument {
        case "earliest": self = .earliest
        case "latest": self = .latest
        default:
            guard let number = UInt64(argument) else { return nil }
            self = .number(number)
        }
    }

    var start: StartOffset {
        switch self {
        case .earliest: .earliest
        case .latest: .latest
        case .number(let offset): .offset(offset)
        }
    }
}
