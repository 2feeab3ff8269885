internal import ArgumentParser
internal import MillraceKafka

/// Properties for librdkafka.
struct KafkaPropertyOptions: ParsableArguments {
    @Option(
        name: .customLong("kafka-property"),
        help: ArgumentHelp("A property for librdkafka.", valueName: "name=value"))
    var arguments: [String] = []

    var isEmpty: Bool { arguments.isEmpty }

    /// The properties, with what stands in the environment and in files.
    func properties() throws(KafkaError) -> KafkaProperties {
        try KafkaProperties(arguments: arguments)
    }
}
