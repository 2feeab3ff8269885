internal import MillraceSystem

/// What a writer knows of the end of its partition, and how it learns what others appended.
///
/// **Thread-safety**: one owner, who holds the append lock while it moves.
struct LogCursor: Sendable {
    /// Log position after the last batch seen.
    var position: UInt64
    /// Offset after the last row seen.
    var offset: UInt64
    /// Header checksum of the last batch seen; 0 when there is none.
    var checksum: UInt32 = 0
    /// Largest timestamp of the newest segment's batches; `Int64.min` when it has none.
    var maxTimestamp = Int64.min
    /// The producer whose batches are looked for; 0 for none.
    let producer: UInt32
    /// The newest batch of that producer, as far as seen.
    var lastOfProducer: ProducerMark?

    /// The claim whose batches are looked for; nil for none.
    let claim: ClaimKey?
    /// The newest batch that the claim covers, as far as seen.
    var lastOfClaim: ClaimMark?

    /// A batch of a named producer.
    struct ProducerMark: Sendable, Equatable {
        let sequence: UInt64
        let position: UInt64
        /// Offset of its first row; nil when it has none, as where retention has removed them.
        let baseOffset: UInt64?
    }

    /// Begins at the newest segment's start.
    init(at header: SegmentHeader?, producer: UInt32, claim: ClaimKey? = nil) {
        position = header?.basePosition ?? 0
        offset = header?.baseOffset ?? 0
        self.producer = producer
        self.claim = claim
    }

    /// Takes note of the batch that begins at `position`.
    @inline(__always)
    mutating func pass(_ header: BatchHeader) {
        if producer != 0, header.producer == producer {
            lastOfProducer = ProducerMark(
                sequence: header.sequence, position: position,
                baseOffset: header.rows > 0 ? header.baseOffset : nil)
        }
        if let claim, let origin = header.origin, claim.covers(origin) {
            lastOfClaim = ClaimMark(generation: origin.generation, end: origin.end)
        }
        position += UInt64(header.batchBytes)
        offset = max(offset, header.baseOffset + UInt64(header.rows))
        checksum = header.checksum
        if header.rows > 0 { maxTimestamp = max(maxTimestamp, header.maxTimestamp) }
    }

    /// Walks over everything up to log position `published`.
    ///
    /// - Complexity: O(batches since the last time).
    mutating func advance(
        to published: UInt64, in list: SegmentList, of files: PartitionFiles
    ) throws(LogError) {
        guard published >= position else {
            throw LogError.corrupt(
                files.control, at: ControlPage.publishedByte,
                expected: "a log position of at least \(position)", found: "\(published)")
        }
        if position < list.start {
            // Retention has removed the batches that were not seen.
            position = list.start
            checksum = 0
        }
        while position < published {
            guard let index = list.index(ofPosition: position) else {
                throw files.missingSegment(position)
            }
            let entry = list.entries[index]
            if entry.header.basePosition == position { enter(entry.header) }
            let limit = list.limit(of: index, published: published)
            guard limit > position else { throw files.missingSegment(position) }
            var walk = try BatchWalk(files.open(entry), from: position, limit: limit)
            while let header = try walk.next() { pass(header) }
        }
        // A segment that has no batch yet can begin at a later offset: a crash of the machine made
        // those in between unusable.
        if let last = list.entries.last, last.header.basePosition == position {
            enter(last.header)
        }
    }

    /// Takes note that a segment begins.
    mutating func enter(_ header: SegmentHeader) {
        offset = max(offset, header.baseOffset)
        maxTimestamp = .min
    }
}

extension PartitionFiles {
    func missingSegment(_ position: UInt64) -> LogError {
        LogError(
            .corrupt,
            "corrupt data: expected a segment that holds the published position \(position), "
                + "found none; nothing was repaired",
            path: directory)
    }
}
