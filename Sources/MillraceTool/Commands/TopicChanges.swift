internal import ArgumentParser
internal import Millrace

extension TopicCommand {
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Creates a topic.",
            discussion: """
                Example: millrace topic create flights.raw --partitions 2 --bytes
                Example: millrace topic create flights.live --features 64 --label --filter split
                """)

        @Argument(help: "The topic's name: A-Z a-z 0-9 . _ -") var name: String
        @OptionGroup var options: TopicOptions
        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document.") var json = false

        func run() throws {
            guard let configuration = try options.configuration() else {
                throw ValidationError("say what rows are: --bytes, or --features D")
            }
            let topic = try ExitStatus.coded {
                let data = try DataDirectory(places.data, create: true)
                do throws(LogError) { return try data.createTopic(name, configuration) } catch {
                    guard error.code == .alreadyExists else { throw error }
                    throw PipelineError(.cannotCreate, error.description)
                }
            }
            if json { return try JSONText.print(try Description(topic)) }
            print("Created topic \(topic.name), partitions: \(topic.partitions).")
        }
    }

    struct Alter: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds partitions to a topic, or changes when rows are flushed or removed.",
            discussion: """
                Programs that have the topic open know the change when they open it anew.
                Example: millrace topic alter flights.raw --retention-hours 48
                """)

        @Argument(help: "The topic's name.") var name: String
        @Option(help: "The new number of partitions; none can be removed.") var partitions: Int?
        @Option(help: "When rows are made durable: none, batch, or every so many milliseconds.")
        var flush: FlushArgument?
        @OptionGroup var retention: RetentionOptions
        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document.") var json = false

        func validate() throws {
            guard partitions == nil, flush == nil, retention.isEmpty else { return }
            throw ValidationError("say what to change: --partitions, --flush or --retention-…")
        }

        func run() throws {
            let topic = try ExitStatus.coded {
                let data = try DataDirectory(places.data, create: false)
                let policy = try data.topic(name).configuration.retention
                let topic = try data.alterTopic(
                    name,
                    TopicAlteration(
                        partitions: partitions, flush: flush?.policy,
                        retention: retention.isEmpty ? nil : retention.applied(to: policy)))
                topic.expireRows()
                return topic
            }
            if json { return try JSONText.print(try Description(topic)) }
            print("Altered topic \(topic.name).")
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Deletes a topic and its rows.",
            discussion: """
                Programs that have the topic open are told so by an error.
                Example: millrace topic delete flights.raw
                """)

        @Argument(help: "The topic's name.") var name: String
        @OptionGroup var places: DataOptions

        func run() throws {
            try ExitStatus.coded {
                try DataDirectory(places.data, create: false).deleteTopic(name)
            }
        }
    }
}
