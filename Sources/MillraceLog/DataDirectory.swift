internal import MillraceSystem

/// The directory that holds all topics: what Kafka users know as a broker.
///
/// **Thread-safety**: any thread, any number of processes at once.
public struct DataDirectory: Sendable {
    /// Where it is.
    public let path: String

    private static let format = "millrace data, format 3\n"
    var topicsPath: String { path + "/topics" }

    /// Opens a data directory, making it when `create` is set and it is not there.
    ///
    /// - Throws: `LogError` with code `notFound`, or `unsupportedFormat` when another version of
    ///   the format made it; nothing is written then.
    public init(_ path: String, create: Bool) throws(LogError) {
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        let marker = self.path + "/format"
        if try Self.read(marker) == nil {
            guard create else {
                throw LogError(
                    .notFound, "there is no data directory here; give another with --data",
                    path: path)
            }
            try Self.create(self.path, marker: marker)
        }
        let found = try Self.read(marker)
        guard found == Self.format else {
            throw LogError(
                .unsupportedFormat,
                "expected '\(Self.format.dropLast())', found '\((found ?? "").prefix { $0 != "\n" }.prefix(40))': "
                    + "written by another version of this program",
                path: marker, position: 0)
        }
    }

    private static func read(_ marker: String) throws(LogError) -> String? {
        try wrapping("cannot read the format") { () throws(SystemError) in
            guard try Files.isThere(marker) else { return nil }
            return String(decoding: try Files.read(marker, maxBytes: 4096), as: UTF8.self)
        }
    }

    private static func create(_ path: String, marker: String) throws(LogError) {
        let hasTopics = try wrapping("cannot create the data directory") { () throws(SystemError) in
            try Files.isThere(path + "/topics")
        }
        guard !hasTopics else {
            throw LogError(
                .unsupportedFormat, "has topics but no format marker; nothing was written",
                path: path)
        }
        try wrapping("cannot create the data directory") { () throws(SystemError) in
            try Files.createDirectory(path)
            // Now, so that on a full disk a topic can be deleted.
            _ = try FileHandle(path + lockName, .openOrCreate)
            try Files.writeDurably(marker, Array(format.utf8))
        }
    }

    /// Names of all topics, sorted.
    public func topicNames() throws(LogError) -> [String] {
        try wrapping("cannot list the topics") { () throws(SystemError) in
            guard try Files.isThere(topicsPath) else { return [] }
            var names: [String] = []
            for name in try Files.list(topicsPath) where Names.isValid(name) {
                if try Files.isThere("\(topicsPath)/\(name)/topic.json") { names.append(name) }
            }
            return names
        }
    }

    /// Opens a topic.
    ///
    /// - Throws: `LogError` with code `notFound`.
    public func topic(_ name: String) throws(LogError) -> Topic {
        try Self.check(name)
        return try Topic(name: name, entry: "\(topicsPath)/\(name)")
    }

    /// Opens a topic, or makes it when it is not there.
    ///
    /// Whoever else makes or deletes topics, or was stopped while doing so, is not waited for.
    /// - Throws: `LogError` with code `alreadyExists` when it is there with another configuration.
    public func topic(
        _ name: String, creating configuration: TopicConfiguration
    ) throws(LogError) -> Topic {
        var mayTry = 10
        while true {
            mayTry -= 1
            do throws(LogError) {
                let topic = try topic(name, matching: configuration)
                // Who made it may have died before its name was durable.
                try wrapping("cannot sync the topics directory") { () throws(SystemError) in
                    try Files.syncDirectory(topicsPath)
                }
                return topic
            } catch {
                guard error.code == .notFound, mayTry > 0 else { throw error }
            }
            if try !Topic.create(name: name, in: topicsPath, configuration: configuration) {
                try refuseRemains(of: name)
            }
        }
    }

    /// Makes a topic.
    ///
    /// **Durability**: the topic is on the disk when this returns.
    /// - Throws: `LogError` with code `alreadyExists` when there is one of that name, and
    ///   `invalidArgument` for a name or a configuration that is not allowed.
    public func createTopic(
        _ name: String, _ configuration: TopicConfiguration
    ) throws(LogError) -> Topic {
        try Self.check(name)
        let entry = "\(topicsPath)/\(name)"
        let isNew =
            Files.exists(entry + "/topic.json")
            ? false
            : try Topic.create(name: name, in: topicsPath, configuration: configuration)
        guard isNew else {
            try refuseRemains(of: name)
            throw LogError(
                .alreadyExists, "topic '\(name)' exists; use another name, or delete it first",
                path: entry)
        }
        return try topic(name)
    }

    /// Throws when what keeps a topic's name is no topic.
    private func refuseRemains(of name: String) throws(LogError) {
        let entry = "\(topicsPath)/\(name)"
        guard Files.exists(entry), !Files.exists(entry + "/topic.json") else { return }
        throw LogError(
            .corrupt,
            "there are files of topic '\(name)', but its description is lost: copy what is intact "
                + "with 'topic verify \(name) --salvage DIR', or move the directory away",
            path: entry)
    }

    /// Keeps others from altering and deleting topics.
    ///
    /// Both take moments. A process that is stopped in the middle keeps the lock until it goes on
    /// or dies: only what it holds the lock for must wait for it.
    func lockTopics() throws(LogError) -> FileLock {
        let path = path + Self.lockName
        let lock = try wrapping("cannot lock the topics") { () throws(SystemError) in
            try FileLock.acquire(path, waitingMilliseconds: Self.lockMilliseconds)
        }
        if let lock { return lock }
        throw LogError(
            .busy,
            "\(FileLock.holderText(path)) has been altering or deleting a topic for "
                + "\(Self.lockMilliseconds / 1000) s; let it go on, or end it, and try again",
            path: path)
    }

    private static let lockMilliseconds = 5_000
    private static let lockName = "/topics.lock"

    /// Opens a topic that must be there with this configuration; nothing is written.
    ///
    /// - Throws: `LogError` with code `notFound` or `alreadyExists`.
    public func topic(
        _ name: String, matching configuration: TopicConfiguration
    ) throws(LogError) -> Topic {
        let topic = try topic(name)
        try check(topic, against: configuration)
        return topic
    }

    static func check(_ name: String) throws(LogError) {
        guard Names.isValid(name) else {
            throw LogError(
                .invalidArgument, "topic name '\(name)' is not allowed. \(Names.rule)")
        }
    }

    /// Throws unless an existing topic is what the caller needs.
    private func check(
        _ topic: Topic, against wanted: TopicConfiguration
    ) throws(LogError) {
        let found = topic.configuration
        var differences: [String] = []
        func compare(_ what: String, _ found: some Equatable, _ wanted: some Equatable) {
            if "\(found)" != "\(wanted)" {
                differences.append("\(what) is \(found), wanted \(wanted)")
            }
        }
        compare("the kind", found.kind.rawValue, wanted.kind.rawValue)
        compare("the number of partitions", found.partitions, wanted.partitions)
        compare("the number of features", found.features, wanted.features)
        compare("having labels", found.label, wanted.label)
        compare("the element type", found.elementType.rawValue, wanted.elementType.rawValue)
        compare("the scale", found.scale, wanted.scale)
        compare("the zero point", found.zeroPoint, wanted.zeroPoint)
        guard differences.isEmpty else {
            throw LogError(
                .alreadyExists,
                "topic '\(topic.name)' exists with another schema: "
                    + differences.joined(separator: "; ")
                    + ". Use another topic name or another data directory",
                path: "\(topicsPath)/\(topic.name)")
        }
    }

    /// Removes a topic and its rows.
    public func deleteTopic(_ name: String) throws(LogError) {
        try Self.check(name)
        let lock = try lockTopics()
        try withExtendedLifetime(lock) { () throws(LogError) in
            try Topic.delete(name: name, in: topicsPath)
        }
    }
}
