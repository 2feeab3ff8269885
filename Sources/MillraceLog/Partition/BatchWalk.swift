internal import MillraceSystem

/// Walks the batch headers of one segment, front to back.
struct BatchWalk: ~Copyable {
    private(set) var segment: Segment
    /// Log position of the next batch.
    private(set) var position: UInt64
    /// Log position at which the walk ends.
    let limit: UInt64

    /// Begins at the segment's first batch.
    init(_ segment: consuming Segment, limit: UInt64) throws(LogError) {
        let first = segment.header.basePosition
        try self.init(segment, from: first, limit: limit)
    }

    /// Begins at `position`, where a batch begins.
    init(_ segment: consuming Segment, from position: UInt64, limit: UInt64) throws(LogError) {
        let end = max(limit, position)
        var segment = segment
        try segment.extend(to: end)
        self.segment = segment
        self.position = position
        self.limit = end
    }

    /// The next header; nil at the end.
    mutating func next() throws(LogError) -> BatchHeader? {
        guard position < limit else { return nil }
        do throws(BatchHeaderFault) {
            let header = try BatchHeader(segment.bytes(from: position, to: limit))
            position += UInt64(header.batchBytes)
            return header
        } catch {
            throw LogError.corrupt(
                segment.path, at: segment.fileOffset(position) + error.byte,
                expected: error.expected, found: error.found)
        }
    }

    /// Whether the stored payload of the batch before `position` matches its checksum.
    func payloadMatches(_ header: BatchHeader) -> Bool {
        let start = position - UInt64(header.batchBytes)
        let bytes = segment.bytes(from: start, to: position)
        let payload = bytes.extracting(
            header.headerBytes..<header.headerBytes + header.storedBytes)
        return CRC32C.checksum(payload) == header.payloadChecksum
    }
}

extension PartitionFiles {
    /// What `pick` finds last in the batches of a log; nil when it finds nothing.
    ///
    /// - Complexity: O(batches of the segments from the newest that has one).
    func last<R>(in view: LogView, _ pick: (BatchHeader) -> R?) throws(LogError) -> R? {
        let list = view.list
        for index in list.entries.indices.reversed() {
            var walk = try BatchWalk(
                open(list.entries[index]),
                limit: list.limit(of: index, published: view.published.position))
            var last: R?
            while let header = try walk.next() { last = pick(header) ?? last }
            if let last { return last }
        }
        return nil
    }
}
