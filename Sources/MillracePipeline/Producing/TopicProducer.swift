internal import MillraceGroups
internal import MillraceInput
internal import MillraceLog
internal import MillraceSystem

/// Appends the rows of a file, or of a stream, to a topic.
///
/// A row goes to the topic in the order in which it stands in the input, in batches that end after
/// `blockLines` lines or `blockBytes` bytes, or when the input makes wait. A row that cannot be read
/// ends the work: the rows before it are appended, none after it is.
///
/// With a name (`ProduceOptions.producer`), each batch carries its place in the input, and the log
/// refuses what it has from that producer. So a second attempt with the same input, options and
/// partitions appends each row once in all, wherever the first was killed. Its input has to begin as the
/// first one's did, which is compared by checksum before anything is appended, and may have grown.
/// Of two at once the later to append is refused.
///
/// **Thread-safety**: `run` is called once; `stop` and `progress` from any thread at any time.
public final class TopicProducer: Sendable {
    /// Lines of a block: with `blockBytes` it says where batches end, and so may never change.
    static let blockLines = 4096
    /// A block also ends with the line that brings its text to this many bytes.
    static let blockBytes = 4 << 20
    /// The longest line.
    static let maxLineBytes = 64 << 20

    private let topic: Topic
    private let options: ProduceOptions
    private let stopFlag = StopFlag()
    private let status: ProduceStatus

    /// Opens the topic and checks that the options fit it; nothing is written.
    ///
    /// - Throws: `PipelineError` with `noInput` when there is no such topic, or `usage`.
    public init(
        topic name: String, data: String, options: ProduceOptions
    ) throws(PipelineError) {
        let directory: DataDirectory
        do throws(LogError) { directory = try DataDirectory(data, create: false) } catch {
            throw PipelineError(error)
        }
        topic = try directory.existingTopic(name)
        status = ProduceStatus(topic: name)
        var options = options
        let kind = topic.configuration.kind
        let format =
            options.format ?? .named(options.path) ?? (kind == .bytes ? .lines : .csv)
        options.format = format
        self.options = options
        try Self.check(options, format, topic.configuration, name)
    }

    private static func check(
        _ options: ProduceOptions, _ format: RowFormat, _ configuration: TopicConfiguration,
        _ name: String
    ) throws(PipelineError) {
        func refuse(_ message: String, _ advice: String? = nil) throws(PipelineError) {
            throw PipelineError(.usage, message, advice: advice)
        }
        switch configuration.kind {
        case .predictions:
            try refuse(
                "topic '\(name)' holds predictions, which millrace score makes",
                "Name a topic of bytes or of features.")
        case .bytes where format == .f32:
            try refuse("topic '\(name)' holds bytes, and f32 is for features")
        case .features where format == .lines:
            try refuse(
                "topic '\(name)' holds features, and lines are for bytes",
                "Say --format csv, jsonl or f32.")
        default: break
        }
        if options.label != nil, !configuration.label {
            try refuse("topic '\(name)' has no labels, so there is no --label")
        }
        if format == .f32 || format == .lines, options.key ?? options.label != nil {
            try refuse("\(format.rawValue) has no names, so there is no --key and no --label")
        }
        if let producer = options.producer, !Names.isValid(producer) {
            try refuse("'\(producer)' cannot be a producer's name", Names.rule)
        }
    }

    /// Asks for an end: what has been read is appended, then `run` throws `interrupted`.
    public func stop() { stopFlag.set() }

    /// How far it is: rows in the topic, and bytes read of a file that has an end.
    ///
    /// Those that a named producer had appended before count too.
    public func progress() -> StageProgress { status.progress }

    /// Appends everything.
    ///
    /// **Durability**: as `ProduceOptions.durability` says.
    ///
    /// - Throws: `PipelineError` with `badData` and the line and column of a row that cannot be
    ///   read, `interrupted` after `stop`, `tryLater` when another instance of the named producer
    ///   has appended, or what reading and appending throw. The advice says how many rows were
    ///   appended.
    public func run() throws(PipelineError) -> ProduceSummary {
        let begun = Clock.monotonicNanoseconds()
        status.begin()
        var loop = try ProduceLoop(
            topic: topic, options: options, stop: stopFlag, status: status)
        try loop.run()
        status.end(.done)
        var summary = loop.summary
        summary.seconds = Double(Clock.monotonicNanoseconds() - begun) / 1e9
        return summary
    }
}
