internal import CMillraceKernels
internal import MillraceSystem

/// Reads one partition, batch by batch, in order.
///
/// Stored batches are seen in place in the mapped file; compressed ones are decoded once, into the
/// reader's own aligned arena. Header and payload checksums are verified, and that each batch
/// follows the one before.
///
/// **Memory**: of its own, an arena of the largest batch. Of the open segment at most 64 MB stay
/// mapped (48 MB, and what is let go of at a time), so that a scan of any length needs no more; a
/// reader that goes back within a segment is taken to come again, and keeps up to 1 GB of page
/// cache mapped instead of faulting it in anew.
/// **Thread-safety**: one owner; any number of readers read at once, while others append.
public struct PartitionReader: ~Copyable, @unchecked Sendable {
    // Sendable: the segment it holds is its own.

    let files: PartitionFiles
    let control: ControlPage
    var list: SegmentList
    var listVersion: UInt64
    /// The open segment; one of no bytes while none is.
    var segment = Segment()
    /// What the open segment is.
    var entry: SegmentEntry?
    var epoch: UInt32 = 0
    /// Log position at which the open segment's batches end; `UInt64.max` while it is the newest.
    var segmentEnd: UInt64 = 0
    var position: UInt64 = 0
    /// Log position in the open segment before which nothing read is mapped.
    var releasedUpTo: UInt64 = 0
    /// How much of what was read stays mapped.
    var window = Self.scanWindow
    /// The published word seen last, and the position in it.
    private(set) var word: UInt64 = 0
    private(set) var published: UInt64 = 0
    /// The published word for which the end of the log was checked.
    private var checkedWord: UInt64 = 0
    private var decoder: BatchDecoder
    /// The batch that `next()` has returned last, while it can be seen once more.
    var lastBatch: (position: UInt64, skippedRows: Int)?
    /// Header checksum of the batch before; 0 when it was not read.
    var previousChecksum: UInt32 = 0
    /// Base offset that the next batch must have; nil when the one before it was not read.
    var expectedOffset: UInt64?
    let onOutOfRange: OutOfRangePolicy
    /// Makes retention wait for this reader.
    let hold: ReaderHold?
    /// The page once more, writable, for saying that somebody sleeps.
    var sleepPage: ControlPage?
    var maySleepOnFutex = true
    /// Offset of the first row that `next()` has not returned yet.
    public internal(set) var nextOffset: UInt64 = 0

    init(
        files: PartitionFiles, decoding: ElementDecoding,
        onOutOfRange: OutOfRangePolicy, isHolding: Bool, sources: SourceTopics?
    ) throws(LogError) {
        _ = try PartitionEntry.recoverIfNeeded(files, sources: sources)
        let control = try files.openControl(writable: false)
        // The count is read first: a segment made after that shows as a change.
        let version = control.segments.loadAcquiring()
        // Before the list: what is in it is then held.
        let hold =
            isHolding ? try ReaderHold(files.holds, files.openControl(writable: true)) : nil
        let list = try files.segments(control)
        try hold?.move(to: list.start)
        self.files = files
        self.control = control
        self.list = list
        self.hold = hold
        self.onOutOfRange = onOutOfRange
        decoder = BatchDecoder(decoding)
        listVersion = version
        position = list.entries.first?.header.basePosition ?? 0
        nextOffset = list.entries.first?.header.baseOffset ?? 0
    }

    /// Offset of the first row in the log, as retention has left it.
    public var startOffset: UInt64 {
        mutating get throws(LogError) {
            try refreshList()
            return list.entries.first?.header.baseOffset ?? 0
        }
    }

    /// The offset that the next appended row will get, as published so far.
    public var endOffset: UInt64 {
        get throws(LogError) { try control.endOffsetValue() }
    }

    /// Whether everything that is published has been read.
    public var isAtEnd: Bool {
        get throws(LogError) {
            if control.published.loadAcquiring() == word { return position >= published }
            return position >= (try control.publishedValue()).position
        }
    }

    /// Takes the memory for decoded batches, and leaves its own: called before a batch is read and
    /// again when it is done with, so that other readers of the thread have it meanwhile.
    ///
    /// - Complexity: O(1); no allocation.
    package mutating func exchange(_ memory: DecodingMemory) {
        lastBatch = nil
        decoder.exchange(memory)
    }

    /// The next batch; nil when everything published has been read.
    ///
    /// The batch borrows the reader until it goes away. No allocation, lock or reference count.
    /// - Throws: `LogError` with code `corrupt`, the reader stays where it was; `offsetOutOfRange`
    ///   when retention has removed the next rows and the reader was not told to go on elsewhere.
    /// - Complexity: O(bytes of the batch).
    @_lifetime(&self)
    public mutating func next() throws(LogError) -> RecordBatch? {
        lastBatch = nil
        let word = control.published.loadAcquiring()
        if word != self.word { try look(at: word) }
        if position < published, position >= segmentEnd { try enterSegment() }
        // Entering can lead to the end, where the next rows are lost and the policy says so.
        if position >= published {
            if control.state.loadAcquiring() != ControlPage.open,
                try control.stateValue() == .deleted
            {
                throw files.deleted()
            }
            if checkedWord != word { try checkEnd() }
            return nil
        }
        let limit = min(segmentEnd, published)
        try segment.extend(to: limit)
        let stored = try unsafe decode(limit: limit)
        let start = position
        let rows = decoder.header.rows
        let base = decoder.header.baseOffset
        let sought = nextOffset > base ? Int(nextOffset - base) : 0
        position = start + UInt64(decoder.header.batchBytes)
        if start - releasedUpTo > window { release(to: start - window + Self.releaseStep) }
        previousChecksum = decoder.header.checksum
        let end = base + UInt64(rows)
        expectedOffset = end
        nextOffset = max(nextOffset, end)
        let skippedRows = min(sought, rows)
        lastBatch = (start, skippedRows)
        // SAFETY: the bytes are in the mapping or in the arena, both of which live and stay as they
        // are until the reader, which the batch borrows, is used again.
        return unsafe _overrideLifetime(
            unsafe view(of: stored, skippedRows: skippedRows), mutating: &self)
    }

    /// The batch that `next()` has returned last, once more: nothing is read, checked or decoded.
    ///
    /// Nil when the reader has been moved since, or has found nothing.
    /// - Complexity: O(1).
    @_lifetime(&self)
    package mutating func last() -> RecordBatch? {
        guard let lastBatch else { return nil }
        let begin = lastBatch.position + UInt64(decoder.header.headerBytes)
        let stored = unsafe bytes(from: begin, to: begin + UInt64(decoder.header.storedBytes))
        // SAFETY: as in `next()`; whatever changes the mapping or the arena forgets the batch.
        return unsafe _overrideLifetime(
            unsafe view(of: stored, skippedRows: lastBatch.skippedRows), mutating: &self)
    }

    /// How much of what was read stays mapped: a scan of a log of any size needs no more.
    private static let scanWindow: UInt64 = 48 << 20
    /// The same for a reader that goes back to what it read: so that it need not fault in again, at
    /// half the price of reading, what the page cache holds in any case.
    static let returnWindow: UInt64 = 1 << 30
    /// How much is let go of at a time: each time costs a call, and other processors a pause.
    private static let releaseStep: UInt64 = 16 << 20

    private mutating func release(to end: UInt64) {
        segment.release(from: releasedUpTo, to: end)
        releasedUpTo = end
    }

    /// The batch decoded last, of the payload `stored`; the caller must not use it after the reader
    /// has moved on.
    @unsafe
    @inline(__always)
    @_lifetime(immortal)
    private mutating func view(of stored: RawSpan, skippedRows: Int) -> RecordBatch {
        let batch = decoder.batch(stored: stored, skippedRows: skippedRows)
        return unsafe _overrideLifetime(batch, copying: ())
    }

    /// Takes note of a new published word.
    @inline(__always)
    private mutating func look(at word: UInt64) throws(LogError) {
        let value = try control.published(word)
        guard value.position >= published else {
            throw LogError.corrupt(
                files.control, at: ControlPage.publishedByte,
                expected: "a log position of at least \(published)", found: "\(value.position)")
        }
        try refreshList()
        self.word = word
        published = value.position
    }

    /// Reads, checks and decodes the batch at `position`; returns its stored payload, which the
    /// caller must not use after the reader has moved on.
    @unsafe
    @inline(__always)
    @_lifetime(immortal)
    private mutating func decode(limit: UInt64) throws(LogError) -> RawSpan {
        do throws(BatchHeaderFault) {
            let bytes = unsafe bytes(from: position, to: limit)
            Self.prefetch(bytes)
            try decoder.readHeader(bytes)
            try checkPlace()
            let begin = decoder.header.headerBytes
            let stored = bytes.extracting(begin..<begin + decoder.header.storedBytes)
            try decoder.decode(stored, verify: true)
            return unsafe _overrideLifetime(stored, copying: ())
        } catch {
            throw fault(error)
        }
    }

    /// Asks for the front of a batch, of which small ones have no more: another processor may have
    /// written it just now, and its lines come at once instead of one round after the other.
    @inline(__always)
    private static func prefetch(_ bytes: RawSpan) {
        // SAFETY: the pointer is used only inside the closure, with at most its true length.
        unsafe bytes.withUnsafeBytes {
            unsafe cm_prefetch($0.baseAddress, min($0.count, prefetchedBytes))
        }
    }

    private static let prefetchedBytes = 512

    /// Checks that the header read last is of a batch that follows the one before.
    @inline(__always)
    private func checkPlace() throws(BatchHeaderFault) {
        let header = decoder.header
        guard header.epoch == epoch else {
            throw BatchHeaderFault(
                byte: 20, expected: "epoch \(epoch) of the segment", found: "\(header.epoch)")
        }
        // A writer that begins behind removed batches does not know their checksums.
        let isKnown = header.previousChecksum != 0 || position != entry?.header.basePosition
        guard
            previousChecksum == 0 || !isKnown || header.previousChecksum == previousChecksum
        else {
            throw BatchHeaderFault(
                byte: 16, expected: "a batch that follows header \(hex(previousChecksum))",
                found: hex(header.previousChecksum))
        }
        if let expectedOffset, header.baseOffset != expectedOffset {
            throw BatchHeaderFault(
                byte: 32, expected: "base offset \(expectedOffset)",
                found: "\(header.baseOffset)")
        }
    }

    /// Bytes of the open segment, which the caller must not use after the reader has moved on.
    ///
    /// Mutating, like others on a batch's way: a reader that is only borrowed is copied for it.
    @unsafe
    @inline(__always)
    @_lifetime(immortal)
    private mutating func bytes(from first: UInt64, to limit: UInt64) -> RawSpan {
        let bytes = segment.bytes(from: first, to: limit)
        return unsafe _overrideLifetime(bytes, copying: ())
    }

    /// Checks, once for each published word, that nothing lies behind what it says.
    private mutating func checkEnd() throws(LogError) {
        // The end offset first: what it counts was published before.
        let end = try control.endOffsetValue()
        let word = control.published.loadAcquiring()
        guard word == self.word else { return }
        try refreshList()
        if let newest = list.entries.last, newest.header.basePosition == position {
            nextOffset = max(nextOffset, newest.header.baseOffset)
        }
        guard nextOffset >= end else {
            throw LogError.corrupt(
                files.control, at: ControlPage.publishedByte,
                expected: "a log position behind row \(end - 1)",
                found: "\(position), behind row \(Int64(nextOffset) - 1)")
        }
        checkedWord = word
    }

    private func fault(_ fault: BatchHeaderFault) -> LogError {
        let base = entry?.header.basePosition ?? 0
        return LogError.corrupt(
            entry?.path ?? files.directory,
            at: SegmentHeader.byteCount + Int(position - base) + fault.byte,
            expected: fault.expected, found: fault.found)
    }
}
