internal import MillraceLog

/// The topic in which a trainer says how it is doing: one row of JSON a record.
///
/// After a restart a trainer passes points again that it has passed before, with the same numbers;
/// the topic's own end tells which records are in it.
final class MetricsTopic {
    private var writer: PartitionWriter?
    private var builder = BatchBuilder()
    private let template: BatchOrigin
    /// Labelled rows covered by the newest record.
    private var covered: UInt64
    /// Whether the newest record names a version.
    private var hasVersion: Bool

    init(
        _ topic: Topic, training: UInt64, group: String, generation: UInt32
    ) throws(LogError) {
        let name = "training:\(training)"
        writer = try topic.writer(partition: 0)
        var origin = BatchOrigin()
        origin.group = try topic.dictionaryID(of: "group:" + group)
        origin.source = try topic.dictionaryID(of: name)
        origin.generation = generation
        template = origin
        let last = try topic.lastOrigin(
            partition: 0, source: name, sourcePartition: 0, group: "group:" + group)
        covered = last?.origin.end ?? 0
        hasVersion = (last?.origin.modelVersion ?? 0) > 0
    }

    /// Records by the hundred thousand are kept; a trainer that follows its rows writes for ever.
    static let configuration = TopicConfiguration(
        kind: .bytes, segmentBytes: 16 << 20, retention: RetentionPolicy(bytes: 64 << 20))

    /// Name of the metrics topic of a stage.
    static func name(of stage: String) -> String { stage + ".metrics" }

    func append(_ record: MetricsRecord) throws {
        let end = UInt64(record.rows)
        // At one point there may be a record first and a version with nothing learnt since.
        let isVersion = end == covered && record.version != nil && !hasVersion
        guard end > covered || isVersion else { return }
        var origin = template
        origin.begin = covered
        origin.end = end
        origin.modelVersion = UInt64(record.version ?? 0)
        builder.reset()
        builder.origin = origin
        builder.append(value: try record.json())
        try writer?.append(&builder)
        covered = end
        hasVersion = record.version != nil
    }

    func close() throws(LogError) { try writer.take()?.close() }
}
