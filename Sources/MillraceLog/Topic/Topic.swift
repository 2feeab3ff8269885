internal import MillraceSystem

/// A named sequence of rows in partitions.
///
/// **Thread-safety**: any thread; the writers and readers it makes have one owner each.
public final class Topic: Sendable {
    /// The topic's name.
    public let name: String
    /// What it holds and how.
    public let configuration: TopicConfiguration
    /// Number that tells this topic from an earlier one of the same name.
    public let id: UInt64
    private let directory: String
    private let dictionary: TopicDictionary

    /// The number of partitions.
    public var partitions: Int { configuration.partitions }

    /// What dictionaries of other topics call this one.
    ///
    /// `topic:NAME#ID`, the id in hexadecimal: it tells the topic from a later one of its name.
    public var reference: String { "topic:\(name)#\(String(id, radix: 16))" }

    init(name: String, directory: String) throws(LogError) {
        let path = directory + "/topic.json"
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try Files.read(path, maxBytes: 1 << 20) } catch {
            if error.isNotFound {
                throw LogError(
                    .notFound, "there is no topic '\(name)'; create it, or check the name",
                    path: directory)
            }
            throw LogError(error, while: "cannot read the topic's description")
        }
        let description = try TopicDescription(json: bytes, path: path)
        self.name = name
        self.directory = directory
        id = description.id
        configuration = description.configuration
        dictionary = TopicDictionary(path: directory + "/dictionary")
    }

    /// Makes the files of a new topic.
    ///
    /// The description comes last: without it there is no topic.
    static func create(
        name: String, directory: String, configuration: TopicConfiguration
    ) throws(LogError) {
        try configuration.validate()
        let description = TopicDescription(
            id: UInt64.random(in: 1...UInt64.max), configuration: configuration)
        let json = try description.json()
        // A deletion that did not end: what is left belongs to nobody.
        if Files.exists(directory + "/" + deletionMark) {
            try wrapping("cannot end the deletion of topic '\(name)'") { () throws(SystemError) in
                try Files.removeTree(directory)
            }
        }
        for partition in 0..<configuration.partitions {
            let place = "\(directory)/\(partition)"
            try wrapping("cannot create topic '\(name)'") { () throws(SystemError) in
                try Files.createDirectory(place)
                // Left by a creation that did not end.
                if Files.exists(place + "/control") { try Files.remove(place + "/control") }
            }
            try ControlPage.create(
                place + "/control", topicID: description.id, partition: partition)
            try wrapping("cannot create topic '\(name)'") { () throws(SystemError) in
                try Files.syncDirectory(place)
            }
        }
        try wrapping("cannot create topic '\(name)'") { () throws(SystemError) in
            try Files.writeDurably(directory + "/dictionary", [])
            try Files.writeDurably(directory + "/topic.json", json)
        }
    }

    /// The name that a topic's description has while its files are being removed.
    private static let deletionMark = "topic.json.deleted"

    /// Removes the files of a topic.
    ///
    /// From the first step on there is no such topic.
    static func delete(name: String, directory: String) throws(LogError) {
        let description = directory + "/topic.json"
        guard Files.exists(description) else {
            throw LogError(.notFound, "there is no topic '\(name)'", path: directory)
        }
        try wrapping("cannot delete topic '\(name)'") { () throws(SystemError) in
            try Files.renameDurably(description, directory + "/" + deletionMark)
            try Files.removeTree(directory)
        }
    }

    private func files(_ partition: Int) throws(LogError) -> PartitionFiles {
        guard (0..<partitions).contains(partition) else {
            throw LogError(
                .notFound, "topic '\(name)' has partitions 0 to \(partitions - 1), not \(partition)"
            )
        }
        return PartitionFiles(
            directory: "\(directory)/\(partition)", topic: name, topicID: id,
            partition: partition)
    }

    /// Opens a partition for appending, as its only writer.
    ///
    /// - Throws: `LogError` with code `busy` while another process writes it.
    public func writer(partition: Int) throws(LogError) -> PartitionWriter {
        try PartitionWriter(files: files(partition), configuration: configuration)
    }

    /// Opens a partition for reading from its first row.
    public func reader(partition: Int) throws(LogError) -> PartitionReader {
        try PartitionReader(
            files: files(partition), decoding: configuration.elementDecoding)
    }

    /// Opens a partition for reading from row `offset`.
    public func reader(partition: Int, from offset: UInt64) throws(LogError) -> PartitionReader {
        var reader = try PartitionReader(
            files: files(partition), decoding: configuration.elementDecoding)
        try reader.seek(to: offset)
        return reader
    }

    /// The offset that the next row appended to the partition will get.
    public func endOffset(partition: Int) throws(LogError) -> UInt64 {
        let control = try files(partition).openControl(writable: false)
        return control.endOffset.loadAcquiring()
    }

    /// The number that stands for `text` (a group, a source, a model) in batch headers.
    public func dictionaryID(of text: String) throws(LogError) -> UInt32 {
        try dictionary.id(of: text)
    }

    /// The text behind a number of a batch header; nil when there is none.
    public func dictionaryText(_ id: UInt32) throws(LogError) -> String? {
        try dictionary.text(id)
    }

    /// The origin of the newest batch that a group (none for file sources) made from the given
    /// source: where to go on.
    ///
    /// - Complexity: O(batches of the newest segment that has one).
    public func lastOrigin(
        partition: Int, source: String, sourcePartition: Int, group: String? = nil
    ) throws(LogError) -> (origin: BatchOrigin, sequence: UInt64)? {
        guard let id = try dictionary.existingID(of: source) else { return nil }
        let writer = if let group { try dictionary.existingID(of: group) } else { UInt32(0) }
        guard let writer else { return nil }
        let files = try files(partition)
        let control = try files.openControl(writable: false)
        let published = PublishedWord(control.published.loadAcquiring()).position
        let list = try files.segments()
        for index in list.entries.indices.reversed() {
            var walk = try BatchWalk(
                files.open(list.entries[index]),
                limit: list.limit(of: index, published: published))
            var last: (BatchOrigin, UInt64)?
            while let header = try walk.next() {
                if let origin = header.origin, origin.source == id, origin.group == writer,
                    Int(origin.sourcePartition) == sourcePartition
                {
                    last = (origin, header.sequence)
                }
            }
            if let last { return last }
        }
        return nil
    }
}
