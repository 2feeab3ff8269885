internal import MillraceInput
internal import MillraceSystem

/// Properties for librdkafka, as its `CONFIGURATION.md` lists them.
///
/// A value `env:NAME` is read from the environment and one `file:PATH` from a file, whose last
/// newline is left out; where the value is a secret, that keeps it out of process lists and files
/// under version control. Secrets, and whatever was read so, are never shown: not in descriptions,
/// not in errors.
public struct KafkaProperties: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    private struct Entry: Sendable, Equatable {
        let name: String
        let value: String
        let isSecret: Bool
    }

    private var entries: [Entry] = []

    /// What the mirror itself decides, which nobody else may.
    private static let reserved: Set<String> = [
        "bootstrap.servers", "metadata.broker.list", "transactional.id", "group.id",
        "enable.partition.eof", "isolation.level", "auto.offset.reset", "enable.auto.commit",
        "enable.auto.offset.store", "enable.idempotence", "allow.auto.create.topics",
        "group.instance.id", "partition.assignment.strategy",
    ]
    private static let maxFileBytes = 1 << 20
    private static let secretParts = ["password", "secret", "token", "jaas", "oauthbearer.config"]
    private static let secretNames: Set<String> = ["ssl.key.pem", "ssl.keystore.key", "ssl_key"]

    /// No properties.
    public init() {}

    /// Properties by name, values resolved.
    ///
    /// - Throws: `KafkaError` with `invalidArgument`: a property that may not be set, a variable
    ///   that is not set, a file that cannot be read.
    public init(_ values: [(name: String, value: String)]) throws(KafkaError) {
        for (name, value) in values { try set(name, value) }
    }

    /// Properties as a command line gives them, each `name=value`.
    ///
    /// - Throws: as `init(_:)`, and where there is no `=`.
    public init(arguments: [String]) throws(KafkaError) {
        for argument in arguments {
            guard let sign = argument.firstIndex(of: "="), sign != argument.startIndex else {
                // What was written may be the secret itself.
                throw KafkaError(
                    .invalidArgument, "--kafka-property takes NAME=VALUE",
                    advice: "Such as --kafka-property security.protocol=SSL.")
            }
            try set(
                String(argument[..<sign]), String(argument[argument.index(after: sign)...]))
        }
    }

    /// Sets one property; a later value replaces an earlier one.
    ///
    /// - Throws: as `init(_:)`.
    public mutating func set(_ name: String, _ value: String) throws(KafkaError) {
        try set(name, value, environment: EnvironmentText.value)
    }

    mutating func set(
        _ name: String, _ value: String, environment: (String) -> String?
    ) throws(KafkaError) {
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw KafkaError(.invalidArgument, "the name of a property is not printable ASCII")
        }
        guard !Self.reserved.contains(name) else {
            throw KafkaError(
                .invalidArgument, "property '\(name)' is set by Millrace itself",
                advice: "Leave it out: brokers are in the address, the promises rest on the others."
            )
        }
        let (text, isIndirect) = try Self.resolve(name, value, environment)
        guard !text.utf8.contains(0) else {
            throw KafkaError(.invalidArgument, "property '\(name)' has a zero byte in its value")
        }
        entries.removeAll { $0.name == name }
        entries.append(
            Entry(name: name, value: text, isSecret: isIndirect || Self.isSecret(name)))
    }

    private static func resolve(
        _ name: String, _ value: String, _ environment: (String) -> String?
    ) throws(KafkaError) -> (text: String, isIndirect: Bool) {
        if value.hasPrefix("env:") {
            let variable = String(value.dropFirst(4))
            guard let found = environment(variable) else {
                throw KafkaError(
                    .invalidArgument,
                    "property '\(name)': the environment has no variable '\(variable)'")
            }
            return (found, true)
        }
        guard value.hasPrefix("file:") else { return (value, false) }
        let path = String(value.dropFirst(5))
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try Files.read(path, maxBytes: maxFileBytes) } catch {
            throw KafkaError(
                .invalidArgument, "property '\(name)': cannot read its file: \(error)")
        }
        guard var text = ValidText.string(bytes.span) else {
            throw KafkaError(
                .invalidArgument, "property '\(name)': \(path) is not text in UTF-8")
        }
        if text.hasSuffix("\r\n") || text.hasSuffix("\n") { text.removeLast() }
        return (text, true)
    }

    /// Whether the value of a property of this name is never shown.
    public static func isSecret(_ name: String) -> Bool {
        let name = name.lowercased()
        return secretNames.contains(name) || secretParts.contains { Self.has(name, $0) }
    }

    private static func has(_ text: String, _ part: String) -> Bool {
        let (text, part) = (Array(text.utf8), Array(part.utf8))
        guard text.count >= part.count else { return false }
        return (0...text.count - part.count).contains { text[$0...].starts(with: part) }
    }

    /// Names that were set, in their order.
    public var names: [String] { entries.map(\.name) }

    /// Gives each property to `body`, in the order in which they were set.
    func forEach(
        _ body: (_ name: String, _ value: String, _ isSecret: Bool) throws(KafkaError) -> Void
    ) throws(KafkaError) {
        for entry in entries { try body(entry.name, entry.value, entry.isSecret) }
    }

    /// `text` with every secret value in it replaced.
    ///
    /// For what librdkafka says of its configuration, which can quote it.
    func redacted(_ text: String) -> String {
        var bytes = Array(text.utf8)
        for entry in entries where entry.isSecret && !entry.value.isEmpty {
            bytes = Self.replace(Array(entry.value.utf8), in: bytes)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func replace(_ secret: [UInt8], in text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var at = 0
        while at < text.count {
            if text[at...].starts(with: secret) {
                result += hidden.utf8
                at += secret.count
            } else {
                result.append(text[at])
                at += 1
            }
        }
        return result
    }

    private static let hidden = "…"

    /// `name=value` of each, secrets left out.
    public var description: String {
        entries.map { "\($0.name)=\($0.isSecret ? Self.hidden : $0.value)" }
            .joined(separator: " ")
    }

    /// Without values: what prints a structure by its parts shall not print secrets.
    public var customMirror: Mirror { Mirror(self, children: [(label: String?, value: Any)]()) }
}
