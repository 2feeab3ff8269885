public import MillraceLog

/// Why something with Kafka did not work: what, where and what to do.
///
/// Values of properties that are secret are never part of it.
public struct KafkaError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure, for programs to switch on.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code in words.
        public let description: String

        /// An address, a property or an option that makes no sense.
        public static let invalidArgument = Code(description: "invalid argument")
        /// This program was built without librdkafka.
        public static let notBuilt = Code(description: "not built")
        /// No broker answers, or not in time.
        public static let noBroker = Code(description: "no broker")
        /// The broker does not accept who we are, or we do not accept who it is.
        public static let notAuthenticated = Code(description: "not authenticated")
        /// The broker knows who we are and does not allow it.
        public static let notAuthorised = Code(description: "not authorised")
        /// The topic does not exist.
        public static let noSuchTopic = Code(description: "no such topic")
        /// The group does not exist.
        public static let noSuchGroup = Code(description: "no such group")
        /// Records asked for are not in the topic any more, or not yet.
        public static let offsetOutOfRange = Code(description: "offset out of range")
        /// A record is not what the format says.
        public static let badRecord = Code(description: "bad record")
        /// A record is larger than the client or the broker takes.
        public static let tooLarge = Code(description: "too large")
        /// Another instance has taken over; this one must stop.
        public static let fenced = Code(description: "fenced")
        /// The local log refused; see `cause`.
        public static let log = Code(description: "log")
        /// Anything else that librdkafka or a broker says.
        public static let client = Code(description: "client")
    }

    /// The kind of failure.
    public let code: Code
    /// What happened, in one line.
    public let message: String
    /// Where: a broker list, a topic, a partition with an offset; nil where there is no place.
    public let place: String?
    /// What to do; nil where the message says it all.
    public let advice: String?
    /// What the local log said.
    public let cause: LogError?

    init(
        _ code: Code, _ message: String, at place: String? = nil, advice: String? = nil,
        cause: LogError? = nil
    ) {
        self.code = code
        self.message = message
        self.place = place
        self.advice = advice
        self.cause = cause
    }

    init(_ cause: LogError) { self.init(.log, cause.description, cause: cause) }

    static let oneAtATime =
        "One mirror of a topic runs at a time; the other one goes on where this one was."

    /// Throws unless this program was built with the trait `Kafka`.
    package static func checkBuilt() throws(KafkaError) {
        #if !Kafka
            throw KafkaError(
                .notBuilt,
                "this program was built without Kafka; build it with "
                    + "'swift build -c release --traits Kafka' and librdkafka-dev installed")
        #endif
    }

    /// The place and what happened there, without the advice.
    public var summary: String { (place.map { $0 + ": " } ?? "") + message }

    /// What happened and where, and what to do.
    public var description: String { summary + (advice.map { "\n  " + $0 } ?? "") }
}

/// Runs `body`, turning a refusal of the log into a `KafkaError`.
func ofLog<R: ~Copyable>(_ body: () throws(LogError) -> R) throws(KafkaError) -> R {
    do throws(LogError) { return try body() } catch { throw KafkaError(error) }
}
