public import MillraceGroups

/// How rows are written in what `TopicProducer` reads.
public enum RowFormat: String, Sendable, CaseIterable, Codable {
    /// Comma-separated values with a header line.
    case csv
    /// A JSON text on each line.
    case jsonl
    /// Lines of any text.
    case lines
    /// Little-endian float32 numbers, a fixed number a row.
    case f32

    /// The format that a file's name ends with, `.lz4` left out; nil where it says nothing.
    public static func named(_ path: String) -> RowFormat? {
        let plain = path.hasSuffix(".lz4") ? path.dropLast(4) : path[...]
        guard let ending = plain.split(separator: "/").last?.split(separator: ".").last else {
            return nil
        }
        return switch ending.lowercased() {
        case "csv": .csv
        case "jsonl", "ndjson": .jsonl
        case "f32": .f32
        case "txt", "log": .lines
        default: nil
        }
    }
}

/// What a producer waits for before it goes on.
public enum ProduceDurability: String, Sendable, CaseIterable, Codable {
    /// Rows survive the death of any process; a loss of power may take the last half minute.
    case none
    /// Once a second, and at the end, everything is brought to the disk.
    case interval
    /// Each batch is on the disk before the next is read.
    case batch
}

/// What to append to a topic, and how.
public struct ProduceOptions: Sendable, Equatable {
    /// The file to read, plain or as LZ4 frames; `-` is standard input.
    public var path: String
    /// How its rows are written; nil for what the file's name ends with, else lines for a topic of
    /// bytes and CSV for a topic of features.
    public var format: RowFormat?
    /// The column or member that is a row's key; nil for none, but for a member `key`.
    public var key: String?
    /// The column or member that is a row's label; nil for `label` where the topic has labels.
    public var label: String?
    /// How rows are spread over the partitions; nil for by key where `key` is given, else by batch.
    public var partitioner: PartitionerKind?
    /// What to wait for; nil for what the topic's flush policy says, and the disk at the end.
    public var durability: ProduceDurability?
    /// The name under which a second attempt goes on where the first one ended; nil for none.
    public var producer: String?

    /// Options for reading a file.
    public init(
        path: String = "-", format: RowFormat? = nil, key: String? = nil, label: String? = nil,
        partitioner: PartitionerKind? = nil, durability: ProduceDurability? = nil,
        producer: String? = nil
    ) {
        self.path = path
        self.format = format
        self.key = key
        self.label = label
        self.partitioner = partitioner
        self.durability = durability
        self.producer = producer
    }
}

/// What a producer has done.
public struct ProduceSummary: Sendable, Codable, Equatable {
    /// What one partition got.
    public struct Partition: Sendable, Codable, Equatable {
        /// The partition's number.
        public var partition: Int
        /// Rows appended to it.
        public var rows: Int
        /// The offset behind the last of them.
        public var endOffset: UInt64
    }

    /// The topic.
    public var topic: String
    /// How rows were read.
    public var format: RowFormat
    /// Rows appended.
    public var rows = 0
    /// Rows that the named producer had appended before.
    public var rowsAlreadyThere = 0
    /// Batches appended.
    public var batches = 0
    /// Bytes of the rows before compression.
    public var bytes = 0
    /// How long it took.
    public var seconds = 0.0
    /// The partitions that rows went to: every one of the topic, or those that the producer began with.
    public var partitions: [Partition] = []
}
