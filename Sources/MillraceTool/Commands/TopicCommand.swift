internal import ArgumentParser
internal import FoundationEssentials
internal import Millrace
internal import MillraceReport

/// `millrace topic`: what is in the log.
struct TopicCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topic", abstract: "Creates, lists, describes, alters, verifies topics.",
        subcommands: [
            Create.self, List.self, Describe.self, Alter.self, Delete.self, Verify.self,
        ])

    /// What a script gets of a topic.
    struct Description: Codable {
        let name: String
        let kind: String
        let partitions: Int
        let features: Int
        let label: Bool
        let dtype: String
        let codec: String
        let filter: String
        let flush: FlushPolicy
        let segmentBytes: Int
        let retention: RetentionPolicy
        let endOffsets: [UInt64]
        let status: [PartitionStatus]

        init(_ topic: Topic) throws {
            let configuration = topic.configuration
            name = topic.name
            kind = configuration.kind.rawValue
            partitions = topic.partitions
            features = configuration.features
            label = configuration.label
            dtype = configuration.elementType.rawValue
            codec = configuration.codec.rawValue
            filter = configuration.filter.rawValue
            flush = configuration.flush
            segmentBytes = configuration.segmentBytes
            retention = configuration.retention
            status = try (0..<topic.partitions).map { try topic.status(partition: $0) }
            endOffsets = status.map(\.endOffset)
        }

        /// Rows that are kept, and offsets that a crash of the machine took.
        var rows: UInt64 { status.reduce(0) { $0 + $1.endOffset - $1.startOffset } }
        var segments: Int { status.reduce(0) { $0 + $1.segments } }
        var bytes: UInt64 { status.reduce(0) { $0 + $1.bytes } }
        var unsyncedBytes: UInt64 { status.reduce(0) { $0 + $1.unsyncedBytes } }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists all topics.", discussion: "Example: millrace topic list")

        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document.") var json = false

        func run() throws {
            let topics = try ExitStatus.coded {
                let data = try DataDirectory(places.data, create: false)
                return try data.topicNames().map { try Description(data.topic($0)) }
            }
            if json { return try JSONText.print(topics) }
            let table = TextTable(
                columns: [
                    .text("topic"), .text("kind"), .number("partitions"), .number("features"),
                    .number("rows"), .number("segments"), .number("bytes"), .number("unsynced"),
                ],
                rows: topics.map {
                    [
                        $0.name, $0.kind, "\($0.partitions)", "\($0.features)",
                        NumberText.count(Int($0.rows)), "\($0.segments)",
                        NumberText.bytes(Int($0.bytes)), NumberText.bytes(Int($0.unsyncedBytes)),
                    ]
                })
            for line in table.linesOnOutput() { print(line) }
        }
    }

    struct Describe: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Describes one topic.",
            discussion: "Example: millrace topic describe flights.raw")

        @Argument(help: "The topic's name.") var name: String
        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document.") var json = false

        func run() throws {
            let topic = try ExitStatus.coded {
                let data = try DataDirectory(places.data, create: false)
                let topic = try data.topic(name)
                topic.expireRows()
                return try Description(topic)
            }
            if json { return try JSONText.print(topic) }
            for line in Self.lines(topic) { print(line) }
        }

        private static func lines(_ topic: Description) -> [String] {
            let labelled = topic.label ? ", labelled" : ""
            let element = topic.kind == "features" ? " \(topic.dtype)\(labelled)" : ""
            let filter = topic.filter == "none" ? "" : ", filter \(topic.filter)"
            let table = TextTable(
                columns: [
                    .number("partition"), .number("start offset"), .number("end offset"),
                    .number("segments"), .number("bytes"), .number("unsynced"), .text("state"),
                ],
                rows: topic.status.map {
                    [
                        "\($0.partition)", "\($0.startOffset)", "\($0.endOffset)",
                        "\($0.segments)", NumberText.bytes(Int($0.bytes)),
                        NumberText.bytes(Int($0.unsyncedBytes)),
                        $0.isPoisoned ? "poisoned: a sync failed" : "",
                    ]
                })
            return [
                "topic       \(topic.name)", "kind        \(topic.kind)",
                "features    \(topic.features)\(element)", "codec       \(topic.codec)\(filter)",
                "flush       \(FlushArgument.text(topic.flush))",
                "segments    \(NumberText.bytes(topic.segmentBytes)) at most",
                "retention   \(Self.text(topic.retention))",
            ] + table.linesOnOutput()
        }

        private static func text(_ retention: RetentionPolicy) -> String {
            let limits = [
                retention.bytes.map { NumberText.bytes($0) + " a partition" },
                retention.milliseconds.map { NumberText.duration(seconds: Double($0) / 1000) },
            ].compactMap(\.self)
            let held = retention.heldBytes.map { "; up to \(NumberText.bytes($0)) for readers" }
            return (limits.isEmpty ? "everything" : limits.joined(separator: ", ")) + (held ?? "")
        }
    }
}

/// JSON on standard output.
enum JSONText {
    static func print(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        Swift.print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    static func line(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
