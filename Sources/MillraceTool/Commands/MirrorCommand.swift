internal import ArgumentParser
internal import Millrace
internal import MillraceKafka
internal import MillracePipeline
internal import MillraceReport

/// `millrace mirror`: a topic from Kafka into the log, or from the log to Kafka.
struct MirrorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mirror",
        abstract: "Copies a topic from Kafka into the log, or from the log to Kafka.",
        discussion: """
            One of the two topics is kafka://HOST:PORT[,HOST:PORT]/TOPIC, the other a local one. Each \
            row is copied once: run the same command again, and it goes on where it was, wherever it \
            was killed. From Kafka the offsets are recorded with the rows; to Kafka they are written \
            in the same transaction, to TOPIC.millrace-progress. Keys, times and headers are kept. \
            Partition p goes to partition p. A local topic of bytes is made when it is not there.

            bytes: any value is a row of bytes. float32: little-endian numbers, the label last where \
            the topic has labels. json: {"features":[…],"label":1}. block: whole batches, for speed \
            between two Millrace programs. Without --format, topics of bytes are bytes and topics of \
            features float32.

            Properties are librdkafka's. A value env:NAME is read from the environment, file:PATH from \
            a file, and neither is ever shown.

            SIGINT ends it behind what has been read, with code 0 when following, else 130.

            Example: millrace mirror kafka://broker:9092/flights flights.raw --follow
            Example: millrace mirror flights.live kafka://broker:9092/live --format block \
            --kafka-property security.protocol=SASL_SSL --kafka-property sasl.password=env:PASSWORD
            """)

    @Argument(help: "The topic to read: a local one, or an address.") var from: String
    @Argument(help: "The topic to write: an address, or a local one.") var to: String
    @Option(help: "What records are.") var format: KafkaFormat?
    @Flag(help: "Go on when everything has been copied, until interrupted.") var follow = false
    @Flag(help: "End when everything has been copied, which is the default.") var untilEnd = false
    @OptionGroup var kafka: KafkaPropertyOptions
    @Option(help: "Leave records out that are no rows, or end with an error.")
    var onBadRecord = BadRecordPolicy.stop
    @Option(help: "Where to go on when what comes next was removed: nowhere, or with what is left.")
    var onOutOfRange = LostRecordPolicy.error
    @Option(
        help: ArgumentHelp(
            "The name of whoever writes to Kafka. Default: made of both topics' names.",
            valueName: "id"))
    var transactionalId: String?
    @OptionGroup var away: KafkaPatienceOption
    @Flag(help: "Print the summary as one JSON document.") var json = false
    @OptionGroup var places: DataOptions

    func validate() throws {
        if follow, untilEnd {
            throw ValidationError("--follow and --until-end exclude each other")
        }
    }

    func run() throws {
        Signals.ignoreBrokenPipesAndFileSizes()
        let (summary, wasStopped) = try ExitStatus.coded {
            let milliseconds = away.milliseconds ?? MirrorOptions.defaultPatienceMilliseconds
            let mirror = try KafkaMirror(
                from: from, to: to, data: places.data,
                options: MirrorOptions(
                    format: format, follow: follow, onBadRecord: onBadRecord,
                    onOutOfRange: onOutOfRange, transactionalID: transactionalId,
                    properties: kafka.properties(),
                    patienceMilliseconds: milliseconds,
                    connectMilliseconds: min(
                        milliseconds, MirrorOptions.defaultConnectMilliseconds)))
            Signals.onInterrupt { mirror.stop() }
            do throws(KafkaError) { return (try mirror.run(), mirror.isStopped) } catch {
                guard mirror.isStopped, error.code == .noBroker else { throw error }
                throw PipelineError(.interrupted, "stopped while no broker answered")
            }
        }
        guard follow || !wasStopped else {
            throw PipelineError(
                .interrupted,
                "stopped before the end: \(NumberText.count(summary.rows)) rows were copied",
                advice: "Run the same command again to go on.")
        }
        if json { return try JSONText.print(summary) }
        print(Self.text(summary))
    }

    private static func text(_ summary: MirrorSummary) -> String {
        var lines = [
            "Copied \(NumberText.count(summary.rows)) rows, \(NumberText.bytes(summary.bytes)), from "
                + "\(summary.from) to \(summary.to) in "
                + "\(NumberText.duration(seconds: summary.seconds))."
        ]
        for partition in summary.partitions where partition.rows > 0 {
            lines.append(
                "  partition \(partition.partition): \(NumberText.count(partition.rows)) rows, "
                    + "to offset \(partition.nextOffset)")
        }
        for (reason, count) in summary.skipped.sorted(by: { $0.key < $1.key }) {
            lines.append("  left out: \(NumberText.count(count)) \(reason)")
        }
        return lines.joined(separator: "\n")
    }
}
