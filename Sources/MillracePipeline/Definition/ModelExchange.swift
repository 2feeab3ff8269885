public import MillraceKafka

/// How trainers in several processes, on any hosts, learn one model: by averages that they exchange
/// through a topic.
///
/// Each trainer has partitions and a group of its own. After `everyRows` rows, and at its end, it
/// writes what it has learnt to the topic; the models of a round are averaged, each with its share of
/// the new rows, and all go on with the average. What is published are averages only.
///
/// **Durability**: a trainer that is killed goes on from its checkpoint, finds in the topic what it had
/// written, and comes to the same bits.
public struct ModelExchange: Sendable, Equatable {
    /// Where the topic is.
    public enum Place: Sendable, Equatable {
        /// A topic of the data directory, for trainers of one host; it is made where it is not there.
        case log(String)
        /// A topic of Kafka, of which partition 0 is used.
        case kafka(KafkaAddress)
    }

    /// The topic, the same for all trainers of the model.
    public var topic: Place
    /// The trainer's name, which no other has.
    public var trainer: String
    /// Labelled rows that the trainer learns between two exchanges; it need not be the same for all.
    public var everyRows: Int
    /// How long an exchange waits for trainers that took part in the one before, in milliseconds.
    public var roundMilliseconds: Int
    /// Properties for librdkafka.
    public var properties: KafkaProperties
    /// How long brokers may be away before that is an error, in milliseconds.
    public var patienceMilliseconds: Int

    /// Rows between two exchanges where a definition does not say.
    public static let defaultEveryRows = 65_536
    /// The time of a round where a definition does not say, in milliseconds.
    public static let defaultRoundMilliseconds = 2_000
    /// The shortest and the longest time of a round, in milliseconds.
    public static let roundMillisecondsRange = 10...60_000

    /// Creates an exchange.
    public init(
        topic: Place, trainer: String, everyRows: Int = Self.defaultEveryRows,
        roundMilliseconds: Int = Self.defaultRoundMilliseconds,
        properties: KafkaProperties = KafkaProperties(),
        patienceMilliseconds: Int = MirrorOptions.defaultPatienceMilliseconds
    ) {
        self.topic = topic
        self.trainer = trainer
        self.everyRows = everyRows
        self.roundMilliseconds = roundMilliseconds
        self.properties = properties
        self.patienceMilliseconds = patienceMilliseconds
    }
}

extension ModelExchange.Place {
    /// The place that a text names: `kafka://HOST:PORT/TOPIC`, or else a topic of the data directory.
    ///
    /// - Throws: `KafkaError` with `invalidArgument` for an address that is none.
    public init(parsing text: String) throws(KafkaError) {
        if KafkaAddress.isAddress(text) {
            self = .kafka(try KafkaAddress(text))
        } else {
            self = .log(text)
        }
    }
}
