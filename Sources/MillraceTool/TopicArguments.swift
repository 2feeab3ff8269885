public import ArgumentParser
public import Millrace
public import MillraceKafka

extension Codec: ExpressibleByArgument {}
extension Filter: ExpressibleByArgument {}
extension ElementType: ExpressibleByArgument {}
extension RowFormat: ExpressibleByArgument {}
extension TextFormat: ExpressibleByArgument {}
extension PartitionerKind: ExpressibleByArgument {}
extension ProduceDurability: ExpressibleByArgument {}
extension OutOfRangePolicy: ExpressibleByArgument, CaseIterable {
    /// Every policy.
    public static let allCases: [OutOfRangePolicy] = [.error, .earliest, .latest]
}
extension ConsumeFormat: ExpressibleByArgument {}
extension KafkaFormat: ExpressibleByArgument {}
extension BadRecordPolicy: ExpressibleByArgument {}
extension LostRecordPolicy: ExpressibleByArgument {}
extension KafkaRowFormat: ExpressibleByArgument {}
extension KafkaPredictionFormat: ExpressibleByArgument {}
extension BadRecordAction: ExpressibleByArgument {}

/// The value of `--flush`: `none`, `batch`, or milliseconds.
struct FlushArgument: ExpressibleByArgument {
    let policy: FlushPolicy

    init(_ policy: FlushPolicy) { self.policy = policy }

    init?(argument: String) {
        switch argument {
        case "none": policy = .none
        case "batch": policy = .batch
        default:
            guard let milliseconds = Int(argument) else { return nil }
            policy = .interval(milliseconds: milliseconds)
        }
    }

    var defaultValueDescription: String { Self.text(policy) }

    /// A policy as people read it.
    static func text(_ policy: FlushPolicy) -> String {
        switch policy {
        case .none: "none"
        case .batch: "every batch"
        case .interval(let milliseconds): "every \(milliseconds) ms"
        }
    }
}

/// A limit that `none` takes away.
struct LimitArgument: ExpressibleByArgument {
    /// Nil for none.
    let value: Int?

    init?(argument: String) {
        guard argument != "none" else {
            value = nil
            return
        }
        guard let value = Int(argument) else { return nil }
        self.value = value
    }

}

extension Int {
    /// The product, as near as a number can tell: what is too large is refused where it is used.
    fileprivate func times(_ factor: Int) -> Int {
        let (product, isTooLarge) = multipliedReportingOverflow(by: factor)
        return isTooLarge ? .max : product
    }
}

extension Topic {
    /// Removes rows that have expired by age, as far as this user may: nobody else may write the topic.
    func expireRows() {
        guard configuration.retention.milliseconds != nil else { return }
        // What is wrong with the topic the command itself will say.
        do throws(LogError) { try applyRetention() } catch {}
    }
}

/// How long rows are kept.
struct RetentionOptions: ParsableArguments {
    private static let millisecondsPerHour = 3_600_000

    @Option(help: "Bytes of batches that each partition keeps at least, or none.")
    var retentionBytes: LimitArgument?
    @Option(help: "Hours for which rows are kept, or none.")
    var retentionHours: LimitArgument?
    @Option(
        help: """
            Bytes that a partition may grow to while a stage or group that runs has not read them, or \
            none: nobody is waited for.
            """)
    var retentionHoldBytes: LimitArgument?

    var isEmpty: Bool {
        retentionBytes == nil && retentionHours == nil && retentionHoldBytes == nil
    }

    /// `policy` with what was asked for.
    func applied(to policy: RetentionPolicy) -> RetentionPolicy {
        var policy = policy
        if let retentionBytes { policy.bytes = retentionBytes.value }
        if let retentionHours {
            policy.milliseconds = retentionHours.value.map { $0.times(Self.millisecondsPerHour) }
        }
        if let retentionHoldBytes { policy.heldBytes = retentionHoldBytes.value }
        return policy
    }
}

/// What a topic holds and how it is stored.
struct TopicOptions: ParsableArguments {
    private static let millisecondsPerMinute = 60_000

    @Option(help: "Number of partitions, 1 to 1024.") var partitions = 1
    @Flag(help: "Rows are strings of bytes.") var bytes = false
    @Flag(help: "Rows are outputs of a model.") var predictions = false
    @Option(help: "Rows have this many features.") var features: Int?
    @Option(help: "How features are stored.") var dtype = ElementType.float32
    @Flag(help: "Rows of features may have a label.") var label = false
    @Option(help: "How batches are compressed.") var codec = Codec.lz4
    @Option(help: "LZ4 level: 0 is the fast compressor, 3 to 12 the high-compression one.")
    var level = 0
    @Option(help: "What is done to numbers before compression.") var filter = Filter.none
    @Option(help: "What one step of uint8 or int8 is worth.") var scale: Float = 1
    @Option(parsing: .unconditional, help: "The uint8 or int8 that stands for 0.")
    var zeroPoint = 0
    @Option(help: "When rows are made durable: none, batch, or every so many milliseconds.")
    var flush = FlushArgument(.none)
    @Option(help: "Size in bytes at which a segment is closed.") var segmentBytes = 256 << 20
    @Option(help: "Age in minutes at which a segment is closed.") var segmentMinutes: Int?
    @OptionGroup var retention: RetentionOptions

    /// The ways in which a kind of rows was asked for.
    private var kinds: [TopicConfiguration.Kind] {
        (bytes ? [.bytes] : []) + (predictions ? [.predictions] : [])
            + (features == nil ? [] : [.features])
    }

    /// The configuration; nil when no kind of rows was asked for.
    func configuration() throws -> TopicConfiguration? {
        guard kinds.count < 2 else {
            throw ValidationError("rows are --bytes, --predictions or --features, one of them")
        }
        guard let kind = kinds.first else { return nil }
        guard kind == .features || !label else {
            throw ValidationError("only rows of features have a --label")
        }
        return TopicConfiguration(
            partitions: partitions, kind: kind, features: features ?? 0, label: label,
            codec: codec, level: level, filter: filter, elementType: dtype, scale: scale,
            zeroPoint: zeroPoint, segmentBytes: segmentBytes,
            segmentMilliseconds: segmentMinutes.map { $0.times(Self.millisecondsPerMinute) },
            flush: flush.policy, retention: retention.applied(to: .keep))
    }
}
