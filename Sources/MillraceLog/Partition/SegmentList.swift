internal import MillraceSystem

/// A segment as the directory shows it.
struct SegmentEntry: Sendable, Equatable {
    let path: String
    let header: SegmentHeader
}

/// The segments of a partition, in the order of the log.
///
/// A segment reaches up to the base position of the next. Each takeover begins a segment of its
/// epoch where publication stood: what older epochs have at or above that position was never
/// published, or was lost with the machine, and is superseded. Below `start` retention has
/// removed what there was.
struct SegmentList: Sendable {
    private(set) var entries: [SegmentEntry] = []
    /// Files that are not part of the log: superseded, below the start, or never begun.
    private(set) var leftovers: [String] = []
    /// Newest epoch of any segment file, superseded ones included.
    private(set) var newestEpoch: UInt32 = 0
    /// Log position at which the log begins.
    let start: UInt64

    /// Lists the directory.
    ///
    /// - Throws: `corrupt` for a header that is damaged.
    init(_ files: PartitionFiles, start: UInt64) throws(LogError) {
        var found = Found()
        try found.list(files) { (_, fault) throws(LogError) in throw fault }
        self.init(found, start: start)
    }

    /// Lists the directory; returns the faults of damaged headers beside it.
    static func tolerant(
        _ files: PartitionFiles, start: UInt64
    ) throws(LogError) -> (list: SegmentList, damaged: [DamagedSegment]) {
        var found = Found()
        var damaged: [DamagedSegment] = []
        try found.list(files) { (name, fault) throws(LogError) in
            damaged.append(DamagedSegment(name: name, fault: fault))
        }
        return (SegmentList(found, start: start), damaged)
    }

    private init(_ found: Found, start: UInt64) {
        self.start = start
        leftovers = found.empty
        var kept: [SegmentEntry] = []
        let ordered = found.entries.sorted {
            ($0.header.epoch, $0.header.basePosition) < ($1.header.epoch, $1.header.basePosition)
        }
        for entry in ordered {
            newestEpoch = max(newestEpoch, entry.header.epoch)
            while let last = kept.last, last.header.basePosition >= entry.header.basePosition {
                leftovers.append(last.path)
                kept.removeLast()
            }
            kept.append(entry)
        }
        for entry in kept {
            if entry.header.basePosition < start {
                leftovers.append(entry.path)
            } else {
                entries.append(entry)
            }
        }
    }

    /// Index of the segment that holds log position `position`.
    func index(ofPosition position: UInt64) -> Int? {
        lastIndex { $0.basePosition <= position }
    }

    /// Index of the segment that holds row `offset`, or would.
    func index(ofOffset offset: UInt64) -> Int? {
        lastIndex { $0.baseOffset <= offset }
    }

    /// The last entry for which `holds`, which is true up to some entry and false after it.
    private func lastIndex(_ holds: (SegmentHeader) -> Bool) -> Int? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if holds(entries[middle].header) { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? low - 1 : nil
    }

    /// The log position at which segment `index` ends, given what is published.
    func limit(of index: Int, published: UInt64) -> UInt64 {
        let next = index + 1
        return next < entries.count
            ? min(entries[next].header.basePosition, published) : published
    }
}

/// A log at one moment: all that is published is in a segment of the list.
struct LogView: Sendable {
    let published: PublishedWord
    /// The control page's count of segments that were made or removed, when the list was read.
    let version: UInt64
    let list: SegmentList
}

/// A segment file whose header does not hold.
struct DamagedSegment: Sendable {
    let name: String
    let fault: LogError
}

/// What a partition's directory holds.
private struct Found {
    var entries: [SegmentEntry] = []
    var empty: [String] = []

    mutating func list(
        _ files: PartitionFiles, _ fault: (String, LogError) throws(LogError) -> Void
    ) throws(LogError) {
        let names = try wrapping("cannot list the segments") { () throws(SystemError) in
            try Files.list(files.directory)
        }
        for name in names where name.hasSuffix(".log") {
            let path = files.directory + "/" + name
            do throws(LogError) {
                guard let bytes = try Self.head(of: path) else { continue }
                // A writer or the machine died between making the file and its header being on
                // the disk, which comes before the first batch: nothing is in it.
                if bytes.count < SegmentHeader.byteCount || bytes.allSatisfy({ $0 == 0 }) {
                    empty.append(path)
                    continue
                }
                let span = bytes.span
                let raw = unsafe span.bytes  // SAFETY: an array of bytes is initialised.
                let header = try SegmentHeader(
                    raw, path: path, topicID: files.topicID, partition: files.partition)
                guard Segment.name(basePosition: header.basePosition, epoch: header.epoch) == name
                else {
                    throw LogError.corrupt(
                        path, at: 28, expected: "the epoch and position of the file's name",
                        found: "\(header.epoch) and \(header.basePosition)")
                }
                entries.append(SegmentEntry(path: path, header: header))
            } catch {
                guard error.code == .corrupt else { throw error }
                try fault(name, error)
            }
        }
    }

    /// The first bytes of a file; nil when retention has removed it since it was listed.
    private static func head(of path: String) throws(LogError) -> [UInt8]? {
        do throws(SystemError) {
            let file = try FileHandle(path, .read)
            var bytes = [UInt8](repeating: 0, count: SegmentHeader.byteCount)
            let count = try file.read(into: &bytes, at: 0)
            bytes.removeSubrange(count...)
            return bytes
        } catch {
            if error.isNotFound { return nil }
            throw LogError(error, while: "cannot read the segment")
        }
    }
}
