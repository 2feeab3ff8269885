internal import MillraceSystem

/// What of a topic is to change; nil leaves it as it is.
public struct TopicAlteration: Sendable, Equatable {
    /// The new number of partitions, not below the old one.
    public var partitions: Int?
    /// When rows are made durable without being asked.
    public var flush: FlushPolicy?
    /// When old rows are removed.
    public var retention: RetentionPolicy?

    /// A change; it is checked when it is made.
    public init(
        partitions: Int? = nil, flush: FlushPolicy? = nil, retention: RetentionPolicy? = nil
    ) {
        self.partitions = partitions
        self.flush = flush
        self.retention = retention
    }
}

extension DataDirectory {
    /// Changes a topic; returns it as it is then.
    ///
    /// Who has the topic open goes on with what it knew; opened anew, it knows the change. Rows
    /// stay where they are: with more partitions, a key may belong to another one from then on.
    /// **Durability**: the description is replaced in one step and is on the disk, behind the new
    /// partitions, when this returns.
    /// - Throws: `LogError` with code `notFound`; `invalidArgument` for fewer partitions or a
    ///   configuration that makes no sense; `alreadyExists` when a new partition has rows already.
    public func alterTopic(
        _ name: String, _ change: TopicAlteration
    ) throws(LogError) -> Topic {
        try Self.check(name)
        let lock = try lockTopics()
        return try withExtendedLifetime(lock) { () throws(LogError) -> Topic in
            let topic = try topic(name)
            let configuration = try topic.configuration.changed(change)
            for partition in topic.partitions..<configuration.partitions {
                try Self.refuseRows("\(topic.directory)/\(partition)")
                try Topic.createPartition(
                    partition, directory: topic.directory, topicID: topic.id)
            }
            let json = try TopicDescription(id: topic.id, configuration: configuration).json()
            try wrapping("cannot alter topic '\(name)'") { () throws(SystemError) in
                try Files.writeDurably(topic.entry + "/topic.json", json)
            }
            return try self.topic(name)
        }
    }

    /// Throws when a partition that is about to be made has segments.
    private static func refuseRows(_ directory: String) throws(LogError) {
        guard Files.isDirectory(directory) else { return }
        let names = try wrapping("cannot list the partition") { () throws(SystemError) in
            try Files.list(directory)
        }
        guard names.contains(where: { $0.hasSuffix(".log") }) else { return }
        throw LogError(
            .alreadyExists, "a partition that the topic does not have yet has segments",
            path: directory)
    }
}

extension TopicConfiguration {
    fileprivate func changed(_ change: TopicAlteration) throws(LogError) -> TopicConfiguration {
        var result = self
        result.partitions = change.partitions ?? partitions
        result.flush = change.flush ?? flush
        result.retention = change.retention ?? retention
        guard result.partitions >= partitions else {
            throw LogError(
                .invalidArgument,
                "the topic has \(partitions) partitions: they can be added, not removed")
        }
        try result.validate()
        return result
    }
}
