internal import ArgumentParser
internal import Millrace
internal import MillraceReport

/// `millrace produce`: rows from a file or standard input into a topic.
struct ProduceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "produce",
        abstract: "Appends rows from a file or standard input to a topic.",
        discussion: """
            csv: a header line, then a row a line. A topic of bytes takes each line as it is, and is \
            told what the columns are called, so that a pipeline can encode its rows; a topic of \
            features takes all columns but those of --key and --label, an empty field being a missing \
            value. jsonl: any JSON value a line for bytes, {"features":[…],"label":1,"key":"…"} for \
            features, null being a missing value. lines: each line for bytes. f32: little-endian \
            numbers, the label behind the features where the topic has labels. Without --format the \
            file's name says, else bytes are lines and features csv. LZ4 frames are read as they are.

            A row that cannot be read ends the command with code 65 and its line and column: rows \
            before it are appended, none after it is. So does SIGINT, with code 130, behind the last \
            row that was read. Rows from a slow writer are appended 20 ms after the last one. A \
            terminal shows how far it is.

            --producer NAME lets a second attempt go on: with the same input, options and partitions, \
            each row is appended once in all, wherever the first attempt was killed. The input must \
            begin as it did, which is checked before anything is appended, and may have grown. Of two \
            producers of one name the later to append is refused with code 75.

            Example: millrace produce flights.raw --from flights.csv.lz4 --producer load
            Example: tail -F service.log | millrace produce service --durability interval
            """)

    @Argument(help: "The topic, which has to be there.") var topic: String
    @Option(help: "The file to read; - is standard input.") var from = "-"
    @Option(help: "How its rows are written.") var format: RowFormat?
    @Option(help: ArgumentHelp("The column that is the row's key.", valueName: "column"))
    var key: String?
    @Option(
        help: ArgumentHelp(
            "The column that is the label. Default: label, where the topic has labels.",
            valueName: "column"))
    var label: String?
    @Option(
        help: """
            How rows are spread: to each partition in turn, batch by batch, or by the key's hash as \
            in Kafka. Default: hash with --key, else sticky.
            """)
    var partitioner: PartitionerKind?
    @Option(
        help: """
            What is waited for: nothing, the disk once a second and at the end, or the disk at each \
            batch. Default: what the topic says, and the disk at the end.
            """)
    var durability: ProduceDurability?
    @Option(help: ArgumentHelp("Append each row once, however often started.", valueName: "name"))
    var producer: String?
    @Flag(help: "Print the summary as one JSON document.") var json = false
    @OptionGroup var places: DataOptions

    func run() throws {
        Signals.ignoreBrokenPipesAndFileSizes()
        let summary = try ExitStatus.coded {
            let work = try TopicProducer(
                topic: topic, data: places.data,
                options: ProduceOptions(
                    path: from, format: format, key: key, label: label, partitioner: partitioner,
                    durability: durability, producer: producer))
            Signals.onInterrupt { work.stop() }
            let screen = Screen()
            // Who types the rows sees them already.
            let isTyped = from == "-" && TerminalWindow(0) != nil
            let ticker = try isTyped ? nil : screen.follow { [work.progress()] }
            defer { screen.end(ticker) }
            return try work.run()
        }
        if json { return try JSONText.print(summary) }
        let before =
            summary.rowsAlreadyThere == 0
            ? "" : ", \(NumberText.count(summary.rowsAlreadyThere)) were there before"
        print(
            "Appended \(NumberText.count(summary.rows)) rows, \(NumberText.bytes(summary.bytes)), "
                + "to \(summary.topic) in \(NumberText.duration(seconds: summary.seconds))\(before)."
        )
        for partition in summary.partitions where partition.rows > 0 {
            print(
                "  partition \(partition.partition): \(NumberText.count(partition.rows)) rows, "
                    + "to offset \(partition.endOffset)")
        }
    }
}
