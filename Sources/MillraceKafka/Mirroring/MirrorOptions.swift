/// What a mirror copies, and how.
public struct MirrorOptions: Sendable {
    /// What records are; nil for bytes where the local topic holds bytes, else float32.
    public var format: KafkaFormat?
    /// Whether to go on when everything has been copied, until `stop`.
    public var follow: Bool
    /// What to do with a record that is no row.
    public var onBadRecord: BadRecordPolicy
    /// Where to go on when Kafka has removed records that were not copied yet.
    public var onOutOfRange: LostRecordPolicy
    /// The name under which records are written to Kafka, of which one writes at a time; nil for
    /// one made of both topics' names.
    public var transactionalID: String?
    /// Properties for librdkafka.
    public var properties: KafkaProperties
    /// How long brokers may be away before that is an error, in milliseconds.
    public var patienceMilliseconds: Int
    /// What people may say of that, in seconds.
    package static let patienceSeconds = 1...86_400
    /// How long to try to reach a first broker, in milliseconds.
    public var connectMilliseconds: Int

    /// How long brokers may be away where nobody says.
    public static let defaultPatienceMilliseconds = 120_000
    /// How long to try to reach a first broker where nobody says.
    public static let defaultConnectMilliseconds = 10_000

    /// Options for copying what is there now.
    public init(
        format: KafkaFormat? = nil, follow: Bool = false, onBadRecord: BadRecordPolicy = .stop,
        onOutOfRange: LostRecordPolicy = .error, transactionalID: String? = nil,
        properties: KafkaProperties = KafkaProperties(),
        patienceMilliseconds: Int = Self.defaultPatienceMilliseconds,
        connectMilliseconds: Int = Self.defaultConnectMilliseconds
    ) {
        self.format = format
        self.follow = follow
        self.onBadRecord = onBadRecord
        self.onOutOfRange = onOutOfRange
        self.transactionalID = transactionalID
        self.properties = properties
        self.patienceMilliseconds = patienceMilliseconds
        self.connectMilliseconds = connectMilliseconds
    }
}

/// Where to go on when rows or records that were not copied yet have been removed.
public enum LostRecordPolicy: String, Sendable, CaseIterable, Codable {
    /// Nowhere: an error says how many are lost.
    case error
    /// With the first that is left.
    case earliest
}

/// What a mirror has done.
public struct MirrorSummary: Sendable, Codable, Equatable {
    /// One partition of the topic that was read.
    public struct Partition: Sendable, Codable, Equatable {
        /// The partition that was read.
        public var partition: Int
        /// The partition that was written.
        public var target: Int
        /// Rows copied.
        public var rows = 0
        /// The offset to go on from in what was read.
        public var nextOffset: Int64

        init(partition: Int, target: Int, nextOffset: Int64) {
            self.partition = partition
            self.target = target
            self.nextOffset = nextOffset
        }
    }

    /// What was read: a topic's name or address.
    public var from: String
    /// What was written.
    public var to: String
    /// What records are.
    public var format: KafkaFormat
    /// Rows copied.
    public var rows = 0
    /// Records of Kafka: as many as rows, but for blocks.
    public var records = 0
    /// Records left out, by reason.
    public var skipped: [String: Int] = [:]
    /// Batches appended, or transactions committed.
    public var batches = 0
    /// Bytes of the records' values.
    public var bytes = 0
    /// How long it took.
    public var seconds = 0.0
    /// Every partition of what was read.
    public var partitions: [Partition] = []

    init(from: String, to: String, format: KafkaFormat) {
        self.from = from
        self.to = to
        self.format = format
    }
}
