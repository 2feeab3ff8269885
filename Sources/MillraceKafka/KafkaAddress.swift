internal import MillraceSystem

/// A topic of a Kafka cluster: `kafka://host:9092,other:9092/topic`.
///
/// The hosts are those that are asked first for the others; one that answers is enough. A port that
/// is left out is 9092. Addresses of IPv6 stand in brackets.
public struct KafkaAddress: Sendable, Hashable, CustomStringConvertible {
    /// A broker to begin with.
    public struct Broker: Sendable, Hashable, CustomStringConvertible {
        /// Name or address, one of IPv6 without its brackets.
        public let host: String
        /// The TCP port.
        public let port: Int

        /// `host:port`, an address of IPv6 in brackets.
        public var description: String {
            host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }

    /// Where to begin; at least one.
    public let brokers: [Broker]
    /// The topic's name.
    public let topic: String

    /// What every address begins with.
    public static let scheme = "kafka://"
    /// The port of a broker that names none.
    public static let defaultPort = 9092
    private static let form = "An address is kafka://HOST:PORT[,HOST:PORT]/TOPIC."

    /// Whether `text` is meant as an address, well-formed or not.
    public static func isAddress(_ text: String) -> Bool { text.hasPrefix(scheme) }

    /// Reads an address.
    ///
    /// - Throws: `KafkaError` with `invalidArgument`, which says what is wrong with it.
    public init(_ text: String) throws(KafkaError) {
        func refuse(_ message: String) -> KafkaError {
            KafkaError(.invalidArgument, message, at: Self.shown(text), advice: Self.form)
        }
        guard Self.isAddress(text) else { throw refuse("not the address of a Kafka topic") }
        let rest = text.dropFirst(Self.scheme.count)
        guard !rest.utf8.contains(UInt8(ascii: "@")) else {
            throw KafkaError(
                .invalidArgument, "an address holds no user and no password",
                at: Self.shown(text),
                advice: "Say --kafka-property sasl.username=… and sasl.password=env:NAME.")
        }
        guard let slash = rest.firstIndex(of: "/") else {
            throw refuse("no topic behind the brokers")
        }
        let name = String(rest[rest.index(after: slash)...])
        guard !name.isEmpty else { throw refuse("no topic behind the brokers") }
        guard Names.isValid(name) else {
            throw KafkaError(
                .invalidArgument, "'\(name)' cannot be a topic's name", at: Self.shown(text),
                advice: Names.rule)
        }
        brokers = try Self.brokers(rest[..<slash], refuse)
        topic = name
    }

    /// Reads where a cluster is, `host:9092,other:9092`, for what is about no topic: that is empty.
    init(brokers text: String) throws(KafkaError) {
        brokers = try Self.brokers(text[...]) {
            KafkaError(
                .invalidArgument, $0, at: text, advice: "Brokers are HOST:PORT[,HOST:PORT].")
        }
        topic = ""
    }

    /// The address of another topic of the same cluster.
    public func topic(_ name: String) -> KafkaAddress { KafkaAddress(brokers, name) }

    private init(_ brokers: [Broker], _ topic: String) {
        self.brokers = brokers
        self.topic = topic
    }

    private static func brokers(
        _ text: Substring, _ refuse: (String) -> KafkaError
    ) throws(KafkaError) -> [Broker] {
        var brokers: [Broker] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            brokers.append(try broker(String(part), refuse))
        }
        return brokers
    }

    private static func broker(
        _ text: String, _ refuse: (String) -> KafkaError
    ) throws(KafkaError) -> Broker {
        guard !text.isEmpty else { throw refuse("a broker without a name") }
        if text.first == "[" {
            guard let close = text.firstIndex(of: "]") else {
                throw refuse("'\(text)' has no ] behind the address of IPv6")
            }
            let host = String(text[text.index(after: text.startIndex)..<close])
            guard !host.isEmpty, host.utf8.allSatisfy(isOfIPv6) else {
                throw refuse("'\(host)' is not an address of IPv6")
            }
            let behind = text[text.index(after: close)...]
            guard behind.isEmpty || behind.first == ":" else {
                throw refuse("'\(text)' has something other than a port behind ]")
            }
            return Broker(host: host, port: try port(behind.dropFirst(), behind.isEmpty, refuse))
        }
        let colon = text.firstIndex(of: ":")
        let host = String(text[..<(colon ?? text.endIndex)])
        guard !host.isEmpty else { throw refuse("a broker without a name") }
        guard host.utf8.allSatisfy(isOfName) else {
            throw refuse("'\(host)' is not the name of a host")
        }
        let digits = colon.map { text[text.index(after: $0)...] } ?? ""
        return Broker(host: host, port: try port(digits, colon == nil, refuse))
    }

    private static func port(
        _ text: Substring, _ isDefault: Bool, _ refuse: (String) -> KafkaError
    ) throws(KafkaError) -> Int {
        if isDefault { return defaultPort }
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(text), (1...65_535).contains(port)
        else { throw refuse("'\(text)' is not a port, which is 1 to 65535") }
        return port
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func isOfIPv6(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: ":"):
            true
        default: false
        }
    }

    /// The text as errors show it: what stands before an `@` may be a password.
    private static func shown(_ text: String) -> String {
        guard let at = text.lastIndex(of: "@") else { return text }
        return "kafka://…" + text[at...]
    }

    /// The brokers as librdkafka wants them.
    public var bootstrap: String { brokers.map(\.description).joined(separator: ",") }

    /// The whole address, ports included.
    public var description: String { Self.scheme + bootstrap + (topic.isEmpty ? "" : "/" + topic) }
}
