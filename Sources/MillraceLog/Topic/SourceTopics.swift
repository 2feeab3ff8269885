internal import MillraceSystem

/// The topics that a topic's batches were made from, as its dictionary names them.
///
/// **Thread-safety**: any thread.
struct SourceTopics: Sendable {
    /// The directory that holds all topics.
    let topics: String
    let dictionary: TopicDictionary
    /// References of topics that are being dealt with already: origins may go in circles.
    let visited: Set<String>

    /// Makes durable every source row from which batches at `from ..< to` were made.
    ///
    /// - Complexity: O(batches that are not among `seen`), and a sync for each source.
    func flush(
        from: UInt64, to: UInt64, seen: SeenSources?, in list: SegmentList, of files: PartitionFiles
    ) throws(LogError) {
        var wanted: Set<SourcePartition> = []
        if let seen, seen.end > from, seen.start < to {
            wanted = seen.sources(from: from)
            try read(from: from, to: min(to, seen.start), in: list, of: files, into: &wanted)
            try read(from: max(from, seen.end), to: to, in: list, of: files, into: &wanted)
        } else {
            try read(from: from, to: to, in: list, of: files, into: &wanted)
        }
        for source in wanted {
            guard let topic = try topic(source.source), source.partition < topic.partitions else {
                continue
            }
            try topic.flush(partition: source.partition, after: visited)
        }
    }

    /// Finds the sources of the batches at `from ..< to`, if there are any.
    private func read(
        from: UInt64, to: UInt64, in list: SegmentList, of files: PartitionFiles,
        into sources: inout Set<SourcePartition>
    ) throws(LogError) {
        for index in list.entries.indices where from < to {
            let limit = list.limit(of: index, published: to)
            let first = max(from, list.entries[index].header.basePosition)
            guard first < limit else { continue }
            var walk = try BatchWalk(files.open(list.entries[index]), from: first, limit: limit)
            while let header = try walk.next() {
                if let origin = header.origin { sources.insert(SourcePartition(origin)) }
            }
        }
    }

    /// Whether every row that a batch was made from is still in its topic, or was removed from its
    /// front by retention.
    ///
    /// Sources that are not topics, or are gone, are not asked.
    func holdsRows(of origin: BatchOrigin) throws(LogError) -> Bool {
        guard origin.end > origin.begin, let topic = try topic(origin.source) else { return true }
        let partition = Int(origin.sourcePartition)
        guard partition < topic.partitions else { return true }
        return try topic.holds(origin.end - 1, partition: partition, after: visited)
    }

    /// The topic behind a dictionary id; nil when it is a file, or has been deleted.
    private func topic(_ id: UInt32) throws(LogError) -> Topic? {
        guard let text = try dictionary.text(id), let name = Topic.name(inReference: text) else {
            return nil
        }
        do throws(LogError) {
            let topic = try Topic(name: name, entry: "\(topics)/\(name)")
            return topic.reference == text && !visited.contains(text) ? topic : nil
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }
}
