internal import ArgumentParser
internal import FoundationEssentials
internal import Millrace
internal import MillraceReport

/// `millrace topic`: what is in the log.
struct TopicCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topic", abstract: "Lists and describes topics.",
        subcommands: [List.self, Describe.self])

    /// What a script gets of a topic.
    struct Description: Codable {
        let name: String
        let kind: String
        let partitions: Int
        let features: Int
        let label: Bool
        let codec: String
        let endOffsets: [UInt64]

        init(_ topic: Topic) throws {
            name = topic.name
            kind = topic.configuration.kind.rawValue
            partitions = topic.partitions
            features = topic.configuration.features
            label = topic.configuration.label
            codec = topic.configuration.codec.rawValue
            endOffsets = try (0..<topic.partitions).map { try topic.endOffset(partition: $0) }
        }

        var rows: UInt64 { endOffsets.reduce(0, +) }
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
                    .number("rows"),
                ],
                rows: topics.map {
                    [
                        $0.name, $0.kind, "\($0.partitions)", "\($0.features)",
                        NumberText.count(Int($0.rows)),
                    ]
                })
            for line in table.lines(limit: TerminalWindow(1)?.columns ?? 120) { print(line) }
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
                return try Description(data.topic(name))
            }
            if json { return try JSONText.print(topic) }
            print("topic       \(topic.name)")
            print("kind        \(topic.kind)")
            print("features    \(topic.features)\(topic.label ? ", labelled" : "")")
            print("codec       \(topic.codec)")
            for (partition, end) in topic.endOffsets.enumerated() {
                print("partition   \(partition): end offset \(end)")
            }
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
