internal import MillraceSystem

/// The directory that holds all topics: what Kafka users know as a broker.
///
/// **Thread-safety**: any thread, any number of processes at once.
public struct DataDirectory: Sendable {
    /// Where it is.
    public let path: String

    private static let format = "millrace data, format 2\n"
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
                "expected '\(Self.format.dropLast())', found '\((found ?? "").prefix(40))': "
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
            try Files.writeDurably(marker, Array(format.utf8))
        }
    }

    /// Names of all topics, sorted.
    public func topicNames() throws(LogError) -> [String] {
        try wrapping("cannot list the topics") { () throws(SystemError) in
            guard try Files.isThere(topicsPath) else { return [] }
            var names: [String] = []
            for name in try Files.list(topicsPath)
            where try Files.isThere("\(topicsPath)/\(name)/topic.json") { names.append(name) }
            return names
        }
    }

    /// Opens a topic.
    ///
    /// - Throws: `LogError` with code `notFound`.
    public func topic(_ name: String) throws(LogError) -> Topic {
        try Self.check(name)
        return try Topic(name: name, directory: "\(topicsPath)/\(name)")
    }

    /// Opens a topic, or makes it when it is not there.
    ///
    /// - Throws: `LogError` with code `alreadyExists` when it is there with another configuration.
    public func topic(
        _ name: String, creating configuration: TopicConfiguration
    ) throws(LogError) -> Topic {
        try making(name) { (directory) throws(LogError) in
            // A failure to look must not pass for a topic that is not there: it would be made anew.
            let isThere = try wrapping("cannot look for topic '\(name)'") {
                () throws(SystemError) in try Files.isThere(directory + "/topic.json")
            }
            if !isThere {
                try Topic.create(name: name, directory: directory, configuration: configuration)
            }
            let topic = try Topic(name: name, directory: directory)
            try check(topic, against: configuration)
            return topic
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
        try making(name) { (directory) throws(LogError) in
            guard !Files.exists(directory + "/topic.json") else {
                throw LogError(
                    .alreadyExists, "topic '\(name)' exists; use another name, or delete it first",
                    path: directory)
            }
            try Topic.create(name: name, directory: directory, configuration: configuration)
            return try Topic(name: name, directory: directory)
        }
    }

    /// Runs `body` with the directory of a topic while nobody else makes or removes topics.
    private func making(
        _ name: String, _ body: (String) throws(LogError) -> Topic
    ) throws(LogError) -> Topic {
        try Self.check(name)
        try wrapping("cannot create the topics directory") { () throws(SystemError) in
            try Files.createDirectory(topicsPath)
        }
        let lock = try Self.lock(path + "/topics.lock")
        return try withExtendedLifetime(lock) { () throws(LogError) -> Topic in
            try body("\(topicsPath)/\(name)")
        }
    }

    static func lock(_ path: String) throws(LogError) -> FileLock {
        for _ in 0..<5_000 {
            if let lock = try wrapping(
                "cannot lock the topics",
                { () throws(SystemError) in try FileLock.acquire(path) })
            {
                return lock
            }
            PinnedThread.sleep(nanoseconds: 1_000_000)
        }
        throw LogError(.busy, "another process has been creating a topic for 5 s", path: path)
    }

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
        let lock = try Self.lock(path + "/topics.lock")
        try withExtendedLifetime(lock) { () throws(LogError) in
            try Topic.delete(name: name, directory: "\(topicsPath)/\(name)")
        }
    }
}
