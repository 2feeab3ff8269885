internal import ArgumentParser
internal import MillraceKafka
internal import MillracePipeline

/// How a trainer learns one model together with others.
struct TrainExchangeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Exchange averages with other trainers through this topic: one of the data directory, \
            or kafka://HOST:PORT/TOPIC.
            """, valueName: "topic"))
    var exchange: String?
    @Option(help: "This trainer's name in the exchange, which no other has.") var trainer: String?
    @Option(
        help: """
            Labelled rows between two exchanges. Default: \
            \(String(ModelExchange.defaultEveryRows)).
            """)
    var exchangeRows: Int?
    @Option(
        help: ArgumentHelp(
            """
            How long an exchange waits for trainers that took part in the last one, in seconds \
            from 0.01 to 60. Default: \(String(ModelExchange.defaultRoundMilliseconds / 1000)).
            """, valueName: "seconds"))
    var roundTime: Double?
    @OptionGroup var kafka: KafkaPropertyOptions
    @OptionGroup var away: KafkaPatienceOption

    func validate() throws {
        guard exchange != nil else {
            let given: [(String, Bool)] = [
                ("--trainer", trainer != nil), ("--exchange-rows", exchangeRows != nil),
                ("--round-time", roundTime != nil), ("--kafka-property", !kafka.isEmpty),
                ("--patience", away.patience != nil),
            ]
            guard let first = given.first(where: \.1) else { return }
            throw ValidationError("\(first.0) goes with --exchange")
        }
        guard trainer != nil else { throw ValidationError("--exchange needs --trainer NAME") }
        if let exchangeRows, exchangeRows < 1 {
            throw ValidationError("--exchange-rows is at least 1")
        }
        if let roundTime, !(0.01...60).contains(roundTime) {
            throw ValidationError("--round-time is 0.01 to 60 seconds")
        }
    }

    /// What the options say; nil where the trainer learns by itself.
    func definition() throws -> ModelExchange? {
        guard let exchange, let trainer else { return nil }
        var definition = ModelExchange(
            topic: try ModelExchange.Place(parsing: exchange), trainer: trainer)
        if let exchangeRows { definition.everyRows = exchangeRows }
        if let roundTime { definition.roundMilliseconds = Int((roundTime * 1000).rounded()) }
        if let patience = away.milliseconds { definition.patienceMilliseconds = patience }
        definition.properties = try kafka.properties()
        return definition
    }
}
