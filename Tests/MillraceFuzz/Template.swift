import MillraceLog
import MillraceSystem

/// A small intact topic, its files and its rows.
struct Template: Sendable {
    /// The data directory.
    let path: String
    let configuration: TopicConfiguration
    /// The directory in the topic's that carries its id.
    let folder: String
    /// The content of each file of the topic, by its path below the topic's directory.
    let files: [String: [UInt8]]
    /// How many rows there are; their content follows from their offset.
    let rows: UInt64

    static let topic = "rows"
    static let columns = 3
    private static let rowsPerBatch = 6

    var kind: TopicConfiguration.Kind { configuration.kind }
    var directory: String { path + "/topics/" + Self.topic }

    /// Age at which a segment is closed: what follows a pause of that length is in another.
    private static let segmentMilliseconds = 20

    init(
        _ path: String, kind: TopicConfiguration.Kind, codec: Codec,
        elementType: ElementType = .float32
    ) throws {
        self.path = path
        configuration = TopicConfiguration(
            kind: kind, features: kind == .bytes ? 0 : Self.columns, label: kind == .features,
            codec: codec, filter: kind == .features && codec == .lz4 ? .split : .none,
            elementType: elementType, segmentBytes: 1 << 16,
            segmentMilliseconds: Self.segmentMilliseconds)
        let topic = try DataDirectory(path, create: true)
            .topic(Self.topic, creating: configuration)
        for text in ["group", "topic:source#1", "model"] { _ = try topic.dictionaryID(of: text) }
        // Two writers, one by mapping, each with a segment of its own.
        for turn in 0..<2 {
            if turn == 1 {
                PinnedThread.sleep(nanoseconds: Int64(Self.segmentMilliseconds) * 1_500_000)
            }
            var writer = try topic.writer(partition: 0, mode: turn == 1 ? .mapped : .write)
            for batch in 0..<2 {
                try Self.append(&writer, kind, extras: batch == 1)
            }
            if turn == 1 { try writer.close() }
        }
        rows = try topic.endOffset(partition: 0)
        let directory = path + "/topics/" + Self.topic
        let inside = try Files.list(directory).first { Files.isDirectory(directory + "/" + $0) }
        folder = inside ?? ""
        files = try Self.files(directory: directory)
    }

    /// Appends the next rows; with `extras`, in a batch with every section that there is.
    private static func append(
        _ writer: inout PartitionWriter, _ kind: TopicConfiguration.Kind, extras: Bool
    ) throws(LogError) {
        var builder = BatchBuilder(columns: kind == .bytes ? 0 : columns)
        let first = writer.nextOffset
        for offset in first..<first + UInt64(rowsPerBatch) {
            add(offset, to: &builder, kind, extras: extras)
        }
        if extras {
            builder.drop(sourceDelta: 1, reason: 7)
            builder.origin = BatchOrigin()
            builder.origin?.group = 1
            builder.origin?.source = 2
            builder.origin?.end = first + 20
        }
        try writer.append(&builder)
    }

    /// Adds the row at `offset`; with `extras`, with all that a row can have.
    static func add(
        _ offset: UInt64, to builder: inout BatchBuilder, _ kind: TopicConfiguration.Kind,
        extras: Bool
    ) {
        let key = Self.key(offset)
        let headers = extras ? [RowHeader("offset", Array("\(offset)".utf8))] : []
        if kind == .bytes {
            let value = value(offset)
            guard extras else { return builder.append(value: value.span) }
            return builder.append(
                value: value.span, key: key.span, timestamp: timestamp(offset), headers: headers)
        }
        var row = builder.nextRow()
        for column in 0..<columns { row[column] = feature(offset, column) }
        guard extras else { return builder.commitRow(label: label(offset)) }
        builder.commitRow(
            label: label(offset), sourceDelta: UInt32(offset % 6) * 2, mark: UInt8(offset % 3),
            key: key.span, timestamp: timestamp(offset), headers: headers)
    }

    /// The key of the row at `offset`, where it has one.
    static func key(_ offset: UInt64) -> [UInt8] { Array("key \(offset)".utf8) }

    /// The timestamp of the row at `offset`, where it has one.
    static func timestamp(_ offset: UInt64) -> Int64 { Int64(offset) * 1_000 }

    /// The bytes of the row at `offset` of a byte topic.
    static func value(_ offset: UInt64) -> [UInt8] {
        var random = SplitMix64(seed: offset)
        return Array(repeating: UInt8(ascii: "v"), count: 20)
            + (0..<Int(random.next() % 40)).map { _ in UInt8(random.next() & 0xFF) }
    }

    /// A feature of the row at `offset`.
    static func feature(_ offset: UInt64, _ column: Int) -> Float {
        Float(offset) * 10 + Float(column)
    }

    /// The label of the row at `offset`.
    static func label(_ offset: UInt64) -> Float { Float(offset % 2) }

    private static func files(directory: String) throws(SystemError) -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in try Files.list(directory) {
            if Files.isDirectory(directory + "/" + name) {
                for (inner, content) in try Self.files(directory: directory + "/" + name) {
                    files[name + "/" + inner] = content
                }
            } else {
                files[name] = try Files.read(directory + "/" + name, maxBytes: 1 << 24)
            }
        }
        return files
    }

    /// The file that a target is about; nil when there is none of its kind.
    func file(of target: Target) -> String? {
        switch target {
        case .batch, .segment: files.keys.filter { $0.hasSuffix(".log") }.max()
        case .index: files.keys.filter { $0.hasSuffix(".index") }.max()
        case .control: folder + "/0/control"
        case .dictionary: folder + "/dictionary"
        case .description: "topic.json"
        case .directory: nil
        }
    }
}
