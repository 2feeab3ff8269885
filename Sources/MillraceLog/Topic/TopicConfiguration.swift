/// What a topic holds and how it is stored.
///
/// Fixed when the topic is created, but for what `DataDirectory.alterTopic` changes.
public struct TopicConfiguration: Sendable, Codable, Equatable {
    /// What a row is.
    public enum Kind: String, Sendable, Codable {
        /// A row is a string of bytes.
        case bytes
        /// A row is a fixed number of features and perhaps a label.
        case features
        /// A row is the output of a model for one source row.
        case predictions
    }

    /// Number of partitions, 1 to 1,024.
    public var partitions: Int
    /// What a row is.
    public var kind: Kind
    /// Features a row, for feature topics; 0 for others.
    public var features: Int
    /// Whether rows of a feature topic carry a label.
    public var label: Bool
    /// How batches are compressed.
    public var codec: Codec
    /// LZ4 level: 0 is the fast compressor, 3 to 12 the high-compression one.
    public var level: Int
    /// What is done to the matrix before it is compressed; without compression, nothing.
    public var filter: Filter
    /// How features are stored; `float32` for topics of another kind.
    public var elementType: ElementType
    /// What one step of a `uint8` or `int8` element is worth.
    public var scale: Float
    /// The `uint8` or `int8` element that stands for 0.
    public var zeroPoint: Int
    /// Size in bytes at which a segment is closed and the next begun.
    public var segmentBytes: Int
    /// Age in milliseconds at which a segment is closed and the next begun; nil for no such age.
    public var segmentMilliseconds: Int?
    /// When rows are made durable without being asked.
    public var flush: FlushPolicy
    /// When old rows are removed.
    public var retention: RetentionPolicy

    /// Largest number of partitions.
    public static let maxPartitions = 1024
    /// Largest number of features.
    public static let maxFeatures = 65_536

    /// A configuration; it is checked when a topic is created with it.
    public init(
        partitions: Int = 1, kind: Kind, features: Int = 0, label: Bool = false,
        codec: Codec = .lz4, level: Int = 0, filter: Filter = .none,
        elementType: ElementType = .float32, scale: Float = 1, zeroPoint: Int = 0,
        segmentBytes: Int = 256 << 20, segmentMilliseconds: Int? = nil,
        flush: FlushPolicy = .none, retention: RetentionPolicy = .keep
    ) {
        self.partitions = partitions
        self.kind = kind
        self.features = features
        self.label = label
        self.codec = codec
        self.level = level
        self.filter = filter
        self.elementType = elementType
        self.scale = scale
        self.zeroPoint = zeroPoint
        self.segmentBytes = segmentBytes
        self.segmentMilliseconds = segmentMilliseconds
        self.flush = flush
        self.retention = retention
    }

    private enum CodingKeys: String, CodingKey {
        case partitions, kind, features, label, codec, level, filter, scale, zeroPoint, segmentBytes
        case segmentMilliseconds, flush, retention
        case elementType = "dtype"
    }

    /// Reads a configuration; what descriptions of older programs lack has its default.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        partitions = try values.decode(Int.self, forKey: .partitions)
        kind = try values.decode(Kind.self, forKey: .kind)
        features = try values.decode(Int.self, forKey: .features)
        label = try values.decode(Bool.self, forKey: .label)
        codec = try values.decode(Codec.self, forKey: .codec)
        level = try values.decode(Int.self, forKey: .level)
        segmentBytes = try values.decode(Int.self, forKey: .segmentBytes)
        filter = try values.decodeIfPresent(Filter.self, forKey: .filter) ?? .none
        elementType =
            try values.decodeIfPresent(ElementType.self, forKey: .elementType) ?? .float32
        scale = try values.decodeIfPresent(Float.self, forKey: .scale) ?? 1
        zeroPoint = try values.decodeIfPresent(Int.self, forKey: .zeroPoint) ?? 0
        segmentMilliseconds = try values.decodeIfPresent(Int.self, forKey: .segmentMilliseconds)
        flush = try values.decodeIfPresent(FlushPolicy.self, forKey: .flush) ?? .none
        retention = try values.decodeIfPresent(RetentionPolicy.self, forKey: .retention) ?? .keep
    }

    /// How stored features become float32.
    public var elementDecoding: ElementDecoding {
        ElementDecoding(type: elementType, scale: scale, zeroPoint: zeroPoint)
    }

    func validate() throws(LogError) {
        func require(_ holds: Bool, _ message: String) throws(LogError) {
            if !holds { throw LogError(.invalidArgument, message) }
        }
        try require(
            (1...Self.maxPartitions).contains(partitions),
            "a topic has 1 to \(Self.maxPartitions) partitions, not \(partitions)")
        try require(
            kind == .features ? (1...Self.maxFeatures).contains(features) : features == 0,
            "a feature topic has 1 to \(Self.maxFeatures) features a row, other topics none; "
                + "found \(features)")
        try require((0...12).contains(level), "an LZ4 level is 0 to 12, not \(level)")
        try require(
            kind == .features || elementType == .float32,
            "only feature topics have an element type, not topics of \(kind.rawValue)")
        try require(
            scale.isNormal && scale > 0,
            "a scale is above 0, and neither infinite nor subnormal; found \(scale)")
        try require(
            elementType.zeroPoints.contains(zeroPoint),
            "the zero point of \(elementType.rawValue) is in \(elementType.zeroPoints), "
                + "not \(zeroPoint)")
        try require(
            filter == .none || codec == .lz4 && kind != .bytes,
            "the filter is for features and predictions compressed with lz4")
        try require(
            (1 << 16...1 << 40).contains(segmentBytes),
            "a segment has 64 KiB to 1 TiB, not \(segmentBytes) bytes")
        try require(
            segmentMilliseconds.map { (1...1 << 42).contains($0) } ?? true,
            "a segment's age is 1 to 2^42 ms, not \(segmentMilliseconds ?? 0)")
        if case .interval(let milliseconds) = flush {
            try require(
                (1...3_600_000).contains(milliseconds),
                "a flush interval is 1 ms to an hour, not \(milliseconds) ms")
        }
        try retention.validate()
    }
}
