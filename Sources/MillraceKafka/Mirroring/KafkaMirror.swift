internal import MillraceLog
internal import MillraceSystem

/// Copies a topic from Kafka into the log, or from the log to Kafka, each row once.
///
/// From Kafka, each appended batch holds the offsets that it came from, so rows and progress are
/// one append. To Kafka, progress is a record in the same transaction, in the topic
/// `TOPIC.millrace-progress`. Either way a mirror that was killed anywhere goes on where it was.
/// Partition `p` of one side is partition `p` of the other, modulo how many that has.
///
/// **Durability**: from Kafka, as the local topic's flush policy says, and at the end the disk; to
/// Kafka, a committed transaction is on every replica that is in step.
/// **Thread-safety**: `run` is called once; `stop` from any thread at any time.
public final class KafkaMirror: Sendable {
    private let from: String
    private let to: String
    private let data: String
    private let options: MirrorOptions
    private let isInbound: Bool
    private let address: KafkaAddress
    private let hooks: MirrorHooks
    private let stopRequest: StopRequest

    /// Whether this program was built with the trait `Kafka`.
    public static var isBuilt: Bool {
        #if Kafka
            true
        #else
            false
        #endif
    }

    /// Checks the two ends, one of which has to be an address; nothing is opened yet.
    ///
    /// - Throws: `KafkaError` with `invalidArgument`, or `notBuilt`.
    public convenience init(
        from: String, to: String, data: String, options: MirrorOptions
    ) throws(KafkaError) {
        try self.init(from: from, to: to, data: data, options: options, hooks: MirrorHooks())
    }

    /// The same, with somebody who is asked and told.
    package init(
        from: String, to: String, data: String, options: MirrorOptions, hooks: MirrorHooks
    ) throws(KafkaError) {
        self.hooks = hooks
        stopRequest = StopRequest(hooks)
        isInbound = KafkaAddress.isAddress(from)
        guard isInbound != KafkaAddress.isAddress(to) else {
            throw KafkaError(
                .invalidArgument,
                isInbound
                    ? "both topics are Kafka's" : "neither '\(from)' nor '\(to)' is Kafka's",
                advice: "One of the two is kafka://HOST:PORT/TOPIC, the other a local topic.")
        }
        address = try KafkaAddress(isInbound ? from : to)
        guard Names.isValid(isInbound ? to : from) else {
            throw KafkaError(
                .invalidArgument, "'\(isInbound ? to : from)' cannot be a topic's name",
                advice: Names.rule)
        }
        if let id = options.transactionalID {
            guard Names.isValid(id) else {
                throw KafkaError(
                    .invalidArgument, "'\(id)' cannot be a transactional id", advice: Names.rule)
            }
            guard !isInbound else {
                throw KafkaError(
                    .invalidArgument, "a transactional id is for writing to Kafka",
                    advice: "Leave --transactional-id out.")
            }
        }
        try KafkaError.checkBuilt()
        self.from = from
        self.to = to
        self.data = data
        self.options = options
    }

    /// Asks for an end: what has been read is written and committed, then `run` returns.
    public func stop() { stopRequest.set() }

    /// Whether `stop` was called.
    public var isStopped: Bool { stopRequest.isSet }

    /// Copies everything that is there, or, following, until `stop`.
    ///
    /// - Throws: `KafkaError`; what was copied before stays, and a later run goes on behind it.
    public func run() throws(KafkaError) -> MirrorSummary {
        let begun = Clock.monotonicNanoseconds()
        var summary = try copy()
        summary.seconds = Double(Clock.monotonicNanoseconds() - begun) / 1e9
        return summary
    }

    #if Kafka
        private func copy() throws(KafkaError) -> MirrorSummary {
            if isInbound {
                let data = try ofLog { () throws(LogError) in
                    try DataDirectory(self.data, create: true)
                }
                var mirror = try InboundMirror(
                    address, data: data, topic: to, options: options, stop: stopRequest,
                    hooks: hooks)
                return try mirror.run()
            }
            let topic = try ofLog { () throws(LogError) in
                try DataDirectory(self.data, create: false).topic(self.from)
            }
            var mirror = try OutboundMirror(
                topic, to: address, options: options, stop: stopRequest)
            return try mirror.run()
        }
    #else
        private func copy() throws(KafkaError) -> MirrorSummary {
            throw KafkaError(.notBuilt, "this program was built without Kafka")
        }
    #endif
}
