import MillraceLog
import MillraceSystem

/// A small intact topic, its files and its rows.
struct Template: Sendable {
    /// The data directory.
    let path: String
    let kind: TopicConfiguration.Kind
    /// The content of each file of the topic, by its path below the topic's directory.
    let files: [String: [UInt8]]
    /// How many rows there are; their content follows from their offset.
    let rows: UInt64

    static let topic = "rows"
    static let columns = 3
    private static let rowsPerBatch = 6

    var directory: String { path + "/topics/" + Self.topic }

    init(_ path: String, kind: TopicConfiguration.Kind, codec: Codec) throws {
        self.path = path
        self.kind = kind
        let topic = try DataDirectory(path, create: true).topic(
            Self.topic,
            creating: TopicConfiguration(
                kind: kind, features: kind == .bytes ? 0 : Self.columns, label: kind == .features,
                codec: codec, segmentBytes: 1 << 16))
        for text in ["group", "topic:source#1", "model"] { _ = try topic.dictionaryID(of: text) }
        // Two writers, each with a segment of its own.
        for turn in 0..<2 {
            var writer = try topic.writer(partition: 0)
            for batch in 0..<2 {
                try Self.append(&writer, kind, extras: batch == 1)
            }
            if turn == 1 { try writer.close() }
        }
        rows = try topic.endOffset(partition: 0)
        files = try Self.files(directory: path + "/topics/" + Self.topic)
    }

    /// Appends the next rows; with `extras`, in a batch with every section that there is.
    private static func append(
        _ writer: inout PartitionWriter, _ kind: TopicConfiguration.Kind, extras: Bool
    ) throws(LogError) {
        var builder = BatchBuilder(columns: kind == .bytes ? 0 : columns)
        let first = writer.nextOffset
        for offset in first..<first + UInt64(rowsPerBatch) {
            if kind == .bytes {
                builder.append(value: value(offset).span)
                continue
            }
            var row = builder.nextRow()
            for column in 0..<columns { row[column] = feature(offset, column) }
            builder.commitRow(
                label: label(offset), sourceDelta: extras ? UInt32(offset - first) * 2 : nil,
                mark: extras ? UInt8(offset % 3) : nil)
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
                for inner in try Files.list(directory + "/" + name) {
                    let path = name + "/" + inner
                    files[path] = try Files.read(directory + "/" + path, maxBytes: 1 << 24)
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
        case .control: "0/control"
        case .dictionary: "dictionary"
        case .description: "topic.json"
        case .directory: nil
        }
    }
}
