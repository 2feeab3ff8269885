/// The first batch with a row that is not older than the time asked for.
struct TimestampMatch: Sendable, Equatable {
    /// Index of its segment in the list.
    var segment: Int
    /// Log position of the batch.
    var position: UInt64
    var header: BatchHeader

    /// Offset of the first row that is not older, as far as the header tells: rows without
    /// timestamps of their own have their batch's.
    var offset: UInt64 { header.baseOffset }
}

/// Finds rows by time, with Kafka's meaning of `offsetsForTimes`: the first row, in the order of
/// the log, whose timestamp is at least the one asked for, whatever the times of the rows before.
///
/// - Source: Apache Kafka, `org.apache.kafka.clients.consumer.KafkaConsumer.offsetsForTimes`.
struct TimestampLookup {
    private let files: PartitionFiles
    private let list: SegmentList
    private let published: UInt64
    /// Batch headers that have been looked at, for tests of the complexity.
    private(set) var visited = 0

    /// A lookup in the segments of `list`, up to log position `published`.
    init(files: PartitionFiles, list: SegmentList, published: UInt64) {
        self.files = files
        self.list = list
        self.published = published
    }

    /// The first batch with a row whose timestamp is at least `time`; nil when all are older.
    ///
    /// - Throws: `LogError` with code `corrupt` when a batch on the way is damaged.
    /// - Complexity: O(log segments) files opened, O(log slots) slots read, and the headers of at
    ///   most 64 KiB of batches, where indexes are complete. Each segment that was made after a
    ///   row with a larger timestamp which retention has removed since adds as much.
    mutating func firstBatch(atOrAfter time: Int64) throws(LogError) -> TimestampMatch? {
        for index in firstSegment(atOrAfter: time)..<list.entries.count {
            let limit = list.limit(of: index, published: published)
            let entry = list.entries[index]
            guard limit > entry.header.basePosition else { continue }
            let segment = try files.open(entry)
            let slots = SegmentIndex(segmentPath: entry.path, header: entry.header)
            let start = slots.start(atOrAfter: time, in: segment, limit: limit)
            var position = start.position
            while position < limit {
                let header = try segment.batchHeader(at: position, limit: limit)
                visited += 1
                if header.rows > 0, header.maxTimestamp >= time {
                    return TimestampMatch(segment: index, position: position, header: header)
                }
                position += UInt64(header.batchBytes)
            }
        }
        return nil
    }

    /// The last segment before which all rows are known to be older than `time`.
    private func firstSegment(atOrAfter time: Int64) -> Int {
        var low = 0
        var high = list.entries.count
        var best = 0
        while low < high {
            let middle = low + (high - low) / 2
            // The largest timestamps grow from segment to segment: the nearest segment before it
            // that knows speaks for one that does not.
            var probe = middle
            var prior = knownPrior(probe)
            while prior == nil, probe > low {
                probe -= 1
                prior = knownPrior(probe)
            }
            if let prior, prior >= time {
                high = probe
            } else {
                if prior != nil { best = probe }
                low = middle + 1
            }
        }
        return best
    }

    private func knownPrior(_ index: Int) -> Int64? {
        let entry = list.entries[index]
        return SegmentIndex(segmentPath: entry.path, header: entry.header).priorMaxTimestamp
    }

    /// The largest timestamp before segment `index`, for the index of that segment.
    ///
    /// - Throws: `LogError` with code `corrupt`.
    /// - Complexity: as for `largest(of:)`, for each segment back to one whose index knows.
    func priorMaxTimestamp(ofSegment index: Int) throws(LogError) -> Int64 {
        var largest = Int64.min
        for earlier in (0..<index).reversed() {
            largest = max(largest, try self.largest(of: earlier))
            if let prior = knownPrior(earlier) { return max(largest, prior) }
        }
        return largest
    }

    /// The largest timestamp of the rows of segment `index`; `Int64.min` when it has none.
    ///
    /// - Throws: `LogError` with code `corrupt`.
    /// - Complexity: the headers of at most 64 KiB of batches, where the index is complete.
    func largest(of index: Int) throws(LogError) -> Int64 {
        let entry = list.entries[index]
        let limit = list.limit(of: index, published: published)
        guard limit > entry.header.basePosition else { return .min }
        let segment = try files.open(entry)
        let slots = SegmentIndex(segmentPath: entry.path, header: entry.header)
        let start = slots.start(atPosition: limit, in: segment, limit: limit)
        var largest = start.maxTimestampBefore
        var position = start.position
        while position < limit {
            let header = try segment.batchHeader(at: position, limit: limit)
            largest = max(largest, header.indexedTimestamp)
            position += UInt64(header.batchBytes)
        }
        return largest
    }
}
