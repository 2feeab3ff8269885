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
    /// The directory of the topic's name, which holds the description.
    let entry: String
    /// The directory of what is in this topic, and in no other of its name.
    let directory: String
    let dictionary: TopicDictionary
    private let upkeep: TopicUpkeep?

    /// The number of partitions.
    public var partitions: Int { configuration.partitions }

    /// What dictionaries of other topics call this one.
    ///
    /// `topic:NAME#ID`, the id in hexadecimal: it tells the topic from a later one of its name.
    public var reference: String { "topic:\(name)#\(String(id, radix: 16))" }

    /// The name of the topic that a reference is about; nil for what is not a topic's.
    static func name(inReference text: String) -> String? {
        guard text.hasPrefix("topic:"), let hash = text.lastIndex(of: "#") else { return nil }
        let name = String(text[text.index(text.startIndex, offsetBy: 6)..<hash])
        return Names.isValid(name) ? name : nil
    }

    /// The topics that batches of this one may have been made from.
    var sources: SourceTopics { sources(after: []) }

    /// The same, but for those that are being dealt with already.
    private func sources(after visited: Set<String>) -> SourceTopics {
        SourceTopics(
            topics: Files.parent(of: entry), dictionary: dictionary,
            visited: visited.union([reference]))
    }

    /// Opens the topic whose description is in the directory `entry`.
    init(name: String, entry: String) throws(LogError) {
        let path = entry + "/topic.json"
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try Files.read(path, maxBytes: 1 << 20) } catch {
            if error.isNotFound {
                throw LogError(
                    .notFound, "there is no topic '\(name)'; create it, or check the name",
                    path: entry)
            }
            throw LogError(error, while: "cannot read the topic's description")
        }
        let description = try TopicDescription(json: bytes, path: path)
        self.name = name
        self.entry = entry
        id = description.id
        configuration = description.configuration
        directory = entry + "/" + TopicMaking.folder(description.id)
        dictionary = TopicDictionary(path: directory + "/dictionary")
        upkeep = TopicUpkeep(description.configuration)
    }

    /// Makes a new topic in `topics`, the directory of all; false when there are files of one of that
    /// name already.
    static func create(
        name: String, in topics: String, configuration: TopicConfiguration
    ) throws(LogError) -> Bool {
        try configuration.validate()
        let description = TopicDescription(
            id: UInt64.random(in: 1...UInt64.max), configuration: configuration)
        let json = try description.json()
        let making = try TopicMaking(description.id, in: topics)
        do throws(LogError) {
            let directory = making.directory
            let last = making.description
            for partition in 0..<configuration.partitions {
                try createPartition(partition, directory: directory, topicID: description.id)
            }
            try wrapping("cannot create topic '\(name)'") { () throws(SystemError) in
                try Files.writeDurably(directory + "/dictionary", [])
                try Files.writeDurably(last, json)
            }
        } catch {
            making.abandon()
            throw error
        }
        return try making.publish(as: name)
    }

    /// Makes the files of a new partition.
    static func createPartition(
        _ partition: Int, directory: String, topicID: UInt64
    ) throws(LogError) {
        let place = "\(directory)/\(partition)"
        try wrapping("cannot create a partition") { () throws(SystemError) in
            try Files.createDirectory(place)
            // Left by a creation that did not end.
            if try Files.isThere(place + "/control") { try Files.remove(place + "/control") }
        }
        try ControlPage.create(place + "/control", topicID: topicID, partition: partition)
        try wrapping("cannot create a partition") { () throws(SystemError) in
            try Files.syncDirectory(place)
        }
    }

    /// Removes the files of a topic in `topics`, the directory of all.
    ///
    /// From the first step on there is no such topic. The caller keeps others from deleting topics.
    static func delete(name: String, in topics: String) throws(LogError) {
        let entry = topics + "/" + name
        let isThere = try wrapping("cannot look for topic '\(name)'") { () throws(SystemError) in
            try Files.isThere(entry + "/topic.json")
        }
        guard isThere else {
            throw LogError(.notFound, "there is no topic '\(name)'", path: entry)
        }
        let id = existing(name, entry)?.id ?? UInt64.random(in: 1...UInt64.max)
        let place = try TopicMaking.retire(name, id: id, in: topics)
        try existing(name, place)?.markDeleted()
        try wrapping("cannot delete topic '\(name)'") { () throws(SystemError) in
            try Files.removeTree(place)
        }
    }

    /// The topic, unless its description is damaged.
    private static func existing(_ name: String, _ entry: String) -> Topic? {
        do throws(LogError) { return try Topic(name: name, entry: entry) } catch { return nil }
    }

    /// Tells who reads or writes the topic that it is gone.
    private func markDeleted() throws(LogError) {
        for partition in 0..<partitions {
            let control: ControlPage
            do throws(LogError) {
                control = try files(partition).openControl(writable: true)
            } catch {
                // What cannot be opened is used by nobody.
                continue
            }
            ControlPage.raise(control.state, to: PartitionState.deleted.rawValue)
            control.wakeReaders()
            control.wakeFlushWaiters()
        }
    }

    func files(_ partition: Int) throws(LogError) -> PartitionFiles {
        guard (0..<partitions).contains(partition) else {
            throw LogError(
                .notFound, "topic '\(name)' has partitions 0 to \(partitions - 1), not \(partition)"
            )
        }
        return PartitionFiles(
            directory: "\(directory)/\(partition)", topic: name, topicID: id,
            partition: partition)
    }

    /// Opens a partition for appending; any number of writers may be open, in any processes.
    ///
    /// With a `producer`'s name, batches carry sequences (`BatchBuilder.sequence`, from 1) and one
    /// that was appended before is not appended again, whoever crashed in between. Of two
    /// instances of one producer the second to append is refused.
    ///
    /// Where rows expire by age, those that have are removed now.
    /// - Throws: `LogError` with code `corrupt` when recovery after a crash of the machine finds
    ///   durable rows damaged, `busy` when 4,096 writers are open.
    /// - Complexity: O(batches of the newest segment); with a producer, O(batches of the segments
    ///   from the newest that has one of its batches, or a batch that retention appended in its
    ///   name). A name that was never used in the topic costs nothing; one that was, but not in
    ///   this partition, is looked for in all of its batch headers.
    public func writer(
        partition: Int, producer: String? = nil, mode: AppendMode = .write
    ) throws(LogError) -> PartitionWriter {
        var id: UInt32 = 0
        var since: UInt64 = 0
        if let producer {
            // Whoever has no number yet has no batch, and will have none before what is published.
            let published = try opened(partition).publishedValue().position
            if try dictionary.existingID(of: producer) == nil { since = published }
            id = try dictionary.id(of: producer)
        }
        var writer = try PartitionWriter(
            files: files(partition), configuration: configuration, producer: id,
            producerSince: since, mode: mode, sources: sources, upkeep: upkeep)
        // Rows that stay too long are no reason to refuse new ones.
        if configuration.retention.milliseconds != nil {
            do throws(LogError) { try writer.applyRetention() } catch {}
        }
        return writer
    }

    /// Removes the rows of all partitions that retention lets go.
    ///
    /// Writers do so when they begin a segment and, where rows expire by age, when they are opened
    /// and from time to time while they live. Of a topic that nobody writes any more, rows expire
    /// when this is called.
    /// - Throws: `LogError`, of the first partition where it fails.
    public func applyRetention() throws(LogError) {
        guard configuration.retention.isActive else { return }
        for partition in 0..<partitions {
            let files = try files(partition)
            _ = try PartitionEntry.recoverIfNeeded(files, sources: sources)
            try TopicUpkeep.retain(files, configuration, sources)
        }
    }

    /// Opens a partition for appending what a group's member makes of a source partition.
    ///
    /// `PartitionWriter.claimedEnd` says where to go on.
    /// - Throws: as `writer(partition:producer:mode:)`, and `fenced` when a later owner has
    /// appended.
    public func writer(
        partition: Int, claim: OutputClaim, mode: AppendMode = .write
    ) throws(LogError) -> PartitionWriter {
        let key = ClaimKey(
            group: try dictionary.id(of: claim.group), source: try dictionary.id(of: claim.source),
            partition: UInt32(claim.sourcePartition), generation: claim.generation,
            start: claim.start, isReset: claim.isReset)
        var writer = try PartitionWriter(
            files: files(partition), configuration: configuration, producer: 0, claim: key,
            mode: mode, sources: sources, upkeep: upkeep)
        try writer.stakeClaim(now: claim.isContested || claim.isReset)
        return writer
    }

    /// Whether retention waits for readers that hold rows: those of groups and stages should, then.
    package var waitsForReaders: Bool { configuration.retention.heldBytes != nil }

    /// Opens a partition for reading from its first row.
    ///
    /// `onOutOfRange` says what to do when retention removes rows before they were read. A
    /// reader that is `holding` is waited for, as far as the topic's retention policy goes.
    public func reader(
        partition: Int, onOutOfRange: OutOfRangePolicy = .error, holding: Bool = false
    ) throws(LogError) -> PartitionReader {
        try PartitionReader(
            files: files(partition), decoding: configuration.elementDecoding,
            onOutOfRange: onOutOfRange, isHolding: holding, sources: sources)
    }

    /// Opens a partition for reading from row `offset`.
    ///
    /// - Throws: `LogError` with code `offsetOutOfRange` for rows that are not there; rows that
    ///   retention has removed are dealt with as `onOutOfRange` says.
    public func reader(
        partition: Int, from offset: UInt64, onOutOfRange: OutOfRangePolicy = .error,
        holding: Bool = false
    ) throws(LogError) -> PartitionReader {
        var reader = try reader(
            partition: partition, onOutOfRange: onOutOfRange, holding: holding)
        do throws(LogError) { try reader.seek(to: offset) } catch {
            guard error.code == .offsetOutOfRange, onOutOfRange != .error,
                offset < (try reader.startOffset)
            else { throw error }
            if onOutOfRange == .latest { try reader.seekToEnd() }
        }
        return reader
    }

    /// The offset that the next row appended to the partition will get.
    public func endOffset(partition: Int) throws(LogError) -> UInt64 {
        try opened(partition).endOffsetValue()
    }

    /// The offset behind the last published row, also where its writer died before it had counted it
    /// for `endOffset`.
    ///
    /// - Complexity: O(batches of the newest segment).
    package func publishedEnd(partition: Int) throws(LogError) -> UInt64 {
        let counted = try endOffset(partition: partition)
        let files = try files(partition)
        let last = try files.withView(opened(partition)) { (view) throws(LogError) in
            try files.last(in: view) { $0.baseOffset + UInt64($0.rows) }
        }
        return max(counted, last ?? 0)
    }

    /// Offset of the first row that retention has left.
    public func startOffset(partition: Int) throws(LogError) -> UInt64 {
        var reader = try reader(partition: partition)
        return try reader.startOffset
    }

    /// The first offset whose row has a timestamp of at least `time`, nanoseconds since 1970; nil
    /// when all are older.
    ///
    /// Kafka's `offsetsForTimes`.
    public func offset(partition: Int, atOrAfter time: Int64) throws(LogError) -> UInt64? {
        var reader = try reader(partition: partition)
        try reader.seek(toTime: time)
        return try reader.isAtEnd ? nil : reader.nextOffset
    }

    /// Waits until everything published in a partition is on the disk.
    public func flush(partition: Int) throws(LogError) {
        try flush(partition: partition, after: [])
    }

    /// The same, without the topics that are being flushed already.
    func flush(partition: Int, after visited: Set<String>) throws(LogError) {
        let files = try files(partition)
        let sources = sources(after: visited)
        _ = try PartitionEntry.recoverIfNeeded(files, sources: sources)
        let control = try files.openControl(writable: true)
        let target = try control.publishedValue().position
        guard try control.durablePosition() < target else { return }
        let slot = try OwnerSlot(files.writers, control)
        try PartitionFlusher(files: files, sources: sources)
            .flush(through: target, control: control, slot: slot)
    }

    /// Whether row `offset` is in the partition, or was removed from its front.
    ///
    /// Topics that are being recovered already are not recovered for it.
    func holds(
        _ offset: UInt64, partition: Int, after visited: Set<String>
    ) throws(LogError) -> Bool {
        var reader = try PartitionReader(
            files: files(partition), decoding: configuration.elementDecoding,
            onOutOfRange: .error, isHolding: false, sources: sources(after: visited))
        if offset < (try reader.control.startOffsetValue()) { return true }
        guard offset < (try reader.endOffset) else { return false }
        try reader.seek(to: offset)
        guard let batch = try reader.next() else { return false }
        return batch.baseOffset <= offset
    }

    /// The control page of a partition, recovered if need be.
    private func opened(_ partition: Int) throws(LogError) -> ControlPage {
        let files = try files(partition)
        _ = try PartitionEntry.recoverIfNeeded(files, sources: sources)
        return try files.openControl(writable: false)
    }

    /// The number that stands for `text` (a group, a source, a model) in batch headers.
    public func dictionaryID(of text: String) throws(LogError) -> UInt32 {
        try dictionary.id(of: text)
    }

    /// The text behind a number of a batch header; nil when there is none.
    public func dictionaryText(_ id: UInt32) throws(LogError) -> String? {
        try dictionary.text(id)
    }

    /// What stands behind `prefix` in the texts that begin with it, in the order of their numbers.
    ///
    /// - Complexity: O(texts).
    package func dictionaryTexts(behind prefix: String) throws(LogError) -> [String] {
        var found: [String] = []
        var id: UInt32 = 1
        while let text = try dictionary.text(id) {
            if text.hasPrefix(prefix) { found.append(String(text.dropFirst(prefix.count))) }
            id += 1
        }
        return found
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
        let control = try opened(partition)
        return try files.withView(control) { (view) throws(LogError) in
            try files.last(in: view) { header in
                guard let origin = header.origin, origin.source == id, origin.group == writer,
                    Int(origin.sourcePartition) == sourcePartition
                else { return nil }
                return (origin, header.sequence)
            }
        }
    }
}
