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
    private var list: SegmentList
    private var listVersion: UInt64
    /// The open segment; one of no bytes while none is.
    private var segment = Segment()
    /// What the open segment is.
    private var entry: SegmentEntry?
    private var epoch: UInt32 = 0
    /// Log position at which the open segment's batches end; `UInt64.max` while it is the newest.
    private var segmentEnd: UInt64 = 0
    private var position: UInt64 = 0
    /// Log position in the open segment before which nothing read is mapped.
    private var releasedUpTo: UInt64 = 0
    /// How much of what was read stays mapped.
    private var window = Self.scanWindow
    /// The published word seen last, and the position in it.
    private(set) var word: UInt64 = 0
    private var published: UInt64 = 0
    /// The published word for which the end of the log was checked.
    private var checkedWord: UInt64 = 0
    private var decoder: BatchDecoder
    /// Header checksum of the batch before; 0 when it was not read.
    private var previousChecksum: UInt32 = 0
    /// Base offset that the next batch must have; nil when the one before it was not read.
    private var expectedOffset: UInt64?
    private let onOutOfRange: OutOfRangePolicy
    /// Makes retention wait for this reader.
    private let hold: ReaderHold?
    /// The page once more, writable, for saying that somebody sleeps.
    var sleepPage: ControlPage?
    var maySleepOnFutex = true
    /// Offset of the first row that `next()` has not returned yet.
    public private(set) var nextOffset: UInt64 = 0

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

    /// Goes to row `offset`, or to the end of the log when that is where it lies.
    ///
    /// - Throws: `LogError` with code `offsetOutOfRange`.
    /// - Complexity: O(log segments + log index), and the batches of 64 KiB.
    public mutating func seek(to offset: UInt64) throws(LogError) {
        while true {
            do throws(LogError) { return try look(for: offset) } catch {
                try renewList(after: error)
            }
        }
    }

    /// Goes behind the last row.
    mutating func seekToEnd() throws(LogError) {
        while true {
            let end = try control.endOffsetValue()
            do throws(LogError) { return try seek(to: end) } catch {
                // Retention may have passed what was the end when we looked.
                guard error.code == .offsetOutOfRange, try control.endOffsetValue() > end else {
                    throw error
                }
            }
        }
    }

    private mutating func look(for offset: UInt64) throws(LogError) {
        // Before the list of segments: what is published is then in a segment of the list.
        let end = try control.endOffsetValue()
        let published = try control.publishedValue().position
        try refreshList()
        previousChecksum = 0
        expectedOffset = nil
        guard let found = list.index(ofOffset: offset) else {
            // A crash of the machine may have taken all rows since the start of the log.
            let first = list.entries.first?.header
            guard offset >= (try control.startOffsetValue()), first != nil || offset == 0 else {
                throw outOfRange(offset, end)
            }
            return leaveSegment(at: first?.basePosition ?? 0, offset: offset)
        }
        let place: (position: UInt64, last: UInt64)
        do throws(LogError) {
            // What is published may lie before a segment that was made since it was read.
            let limit = max(
                list.limit(of: found, published: published),
                list.entries[found].header.basePosition)
            try open(found)
            try segment.extend(to: limit)
            place = try find(offset, in: list.entries[found], limit: limit)
            // Offsets that a crash made unusable lie between the rows before and after.
            guard offset <= max(place.last, end) || found + 1 < list.entries.count else {
                throw outOfRange(offset, end)
            }
        } catch {
            // The reader stays where it was.
            leaveSegment(at: position, offset: nextOffset)
            throw error
        }
        position = place.position
        if position < releasedUpTo {
            window = Self.returnWindow
            releasedUpTo = position
        }
        nextOffset = offset
    }

    /// The batch of the open segment that holds row `offset`, or the segment's end.
    private func find(
        _ offset: UInt64, in entry: SegmentEntry, limit: UInt64
    ) throws(LogError) -> (position: UInt64, last: UInt64) {
        var last = entry.header.baseOffset
        guard limit > entry.header.basePosition else {
            return (entry.header.basePosition, last)
        }
        let slots = SegmentIndex(segmentPath: entry.path, header: entry.header)
        let start = slots.start(forOffset: offset, in: segment, limit: limit)
        var position = start.position
        last = max(last, start.baseOffset)
        while position < limit {
            let header = try segment.batchHeader(at: position, limit: limit)
            last = header.baseOffset + UInt64(header.rows)
            if last > offset { break }
            position += UInt64(header.batchBytes)
        }
        return (position, last)
    }

    /// Goes to the first row whose timestamp is at least `time`, nanoseconds since 1970; to the end
    /// of the log when all are older.
    ///
    /// - Complexity: O(log segments + log index), and the batches of 64 KiB.
    public mutating func seek(toTime time: Int64) throws(LogError) {
        while true {
            let end = try control.endOffsetValue()
            do throws(LogError) { return try look(forTime: time, before: end) } catch {
                // Retention may have passed what was there when we looked.
                if error.code == .offsetOutOfRange, try control.endOffsetValue() > end { continue }
                try renewList(after: error)
            }
        }
    }

    private mutating func look(forTime time: Int64, before end: UInt64) throws(LogError) {
        let published = try control.publishedValue().position
        try refreshList()
        var lookup = TimestampLookup(files: files, list: list, published: published)
        guard let match = try lookup.firstBatch(atOrAfter: time) else { return try seek(to: end) }
        leaveSegment(at: match.position, offset: match.header.baseOffset)
        guard match.header.attributes.has(BatchAttributes.timestamps) else { return }
        let row = try firstRow(atOrAfter: time)
        leaveSegment(at: match.position, offset: match.header.baseOffset + UInt64(row))
    }

    private mutating func firstRow(atOrAfter time: Int64) throws(LogError) -> Int {
        guard let batch = try next() else { return 0 }
        for row in 0..<batch.rows where batch.timestamp(row) >= time { return row }
        return 0
    }

    private mutating func leaveSegment(at position: UInt64, offset: UInt64) {
        segment = Segment()
        entry = nil
        segmentEnd = 0
        previousChecksum = 0
        expectedOffset = nil
        self.position = position
        releasedUpTo = position
        nextOffset = offset
    }

    private func outOfRange(_ offset: UInt64, _ end: UInt64) -> LogError {
        let start = list.entries.first?.header.baseOffset ?? 0
        let lost = offset < start ? ": \(start - offset) rows before it are gone" : ""
        return LogError(
            .offsetOutOfRange,
            "offset \(offset) is not in topic '\(files.topic)', partition \(files.partition), "
                + "which holds \(start) to \(end)" + lost,
            path: files.directory)
    }

    /// The next batch; nil when everything published has been read.
    ///
    /// The batch borrows the reader until it goes away. No allocation, lock or reference count.
    /// - Throws: `LogError` with code `corrupt`, the reader stays where it was; `offsetOutOfRange`
    ///   when retention has removed the next rows and the reader was not told to go on elsewhere.
    /// - Complexity: O(bytes of the batch).
    @_lifetime(&self)
    public mutating func next() throws(LogError) -> RecordBatch? {
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
        try decode(limit: limit)
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
        // SAFETY: the bytes are in the mapping or in the arena, both of which live and stay as they
        // are until the reader, which the batch borrows, is used again.
        return unsafe _overrideLifetime(
            unsafe view(at: start, skippedRows: min(sought, rows)), mutating: &self)
    }

    /// How much of what was read stays mapped: a scan of a log of any size needs no more.
    private static let scanWindow: UInt64 = 48 << 20
    /// The same for a reader that goes back to what it read: so that it need not fault in again, at
    /// half the price of reading, what the page cache holds in any case.
    private static let returnWindow: UInt64 = 1 << 30
    /// How much is let go of at a time: each time costs a call, and other processors a pause.
    private static let releaseStep: UInt64 = 16 << 20

    private mutating func release(to end: UInt64) {
        segment.release(from: releasedUpTo, to: end)
        releasedUpTo = end
    }

    /// The batch decoded last, which the caller must not use after the reader has moved on.
    @unsafe
    @_lifetime(immortal)
    private mutating func view(at start: UInt64, skippedRows: Int) -> RecordBatch {
        let payload = unsafe stored(at: start)
        let batch = decoder.batch(stored: payload, skippedRows: skippedRows)
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

    private mutating func refreshList() throws(LogError) {
        let version = control.segments.loadAcquiring()
        if version == listVersion { return }
        list = try files.segments(control)
        listVersion = version
        if segmentEnd > 0, let entry { try findSegment(entry) }
    }

    /// Takes the list anew when a segment of it was not there any more; throws any other error.
    private mutating func renewList(after error: LogError) throws(LogError) {
        list = try files.segments(instead: list, control, after: error)
        if segmentEnd > 0, let entry { try findSegment(entry) }
    }

    /// Finds the end of the open segment in a new list.
    private mutating func findSegment(_ entry: SegmentEntry) throws(LogError) {
        if let found = list.entries.firstIndex(of: entry) {
            segmentEnd = list.limit(of: found, published: .max)
        } else if list.index(ofPosition: entry.header.basePosition) != nil {
            // Superseded: nothing was ever published in it.
            segmentEnd = position
        } else if segmentEnd == .max {
            segmentEnd = try endOfRemoved(entry)
        }
    }

    /// The end of the open segment, which was the newest and has been removed since: it stays
    /// readable while it is open.
    private func endOfRemoved(_ entry: SegmentEntry) throws(LogError) -> UInt64 {
        guard let first = list.entries.first, first.header.epoch == entry.header.epoch else {
            // What its writer left behind its end when it was succeeded looks like batches.
            return published
        }
        // Its file was cut to its batches when the next segment was begun.
        let bytes = try segment.size() - SegmentHeader.byteCount
        return min(entry.header.basePosition + UInt64(max(bytes, 0)), first.header.basePosition)
    }

    /// Opens the segment that holds `position`.
    private mutating func enterSegment() throws(LogError) {
        for _ in 0..<100 {
            guard let found = list.index(ofPosition: position) else {
                try skipLostRows()
                continue
            }
            guard position < list.limit(of: found, published: .max) else {
                throw files.missingSegment(position)
            }
            do throws(LogError) {
                try open(found)
            } catch {
                // Removed since it was listed: by retention, or with its topic.
                try renewList(after: error)
                continue
            }
            if let expected = expectedOffset, let entry, entry.header.basePosition == position {
                expectedOffset = max(expected, entry.header.baseOffset)
            }
            return
        }
        throw files.missingSegment(position)
    }

    /// Opens segment `index` of the list, unless it is open.
    private mutating func open(_ index: Int) throws(LogError) {
        let entry = list.entries[index]
        if self.entry != entry {
            let opened = try files.open(entry)
            segment = opened
            self.entry = entry
            epoch = entry.header.epoch
            try hold?.move(to: entry.header.basePosition)
            releasedUpTo = entry.header.basePosition
        }
        segmentEnd = list.limit(of: index, published: .max)
    }

    /// Goes on where the policy says when retention has removed the rows at `position`.
    private mutating func skipLostRows() throws(LogError) {
        guard let first = list.entries.first, first.header.basePosition > position else {
            throw files.missingSegment(position)
        }
        switch onOutOfRange {
        case .error: throw outOfRange(nextOffset, try control.endOffsetValue())
        case .earliest:
            leaveSegment(at: first.header.basePosition, offset: first.header.baseOffset)
        case .latest: try seekToEnd()
        }
    }

    /// Reads, checks and decodes the batch at `position`.
    @inline(__always)
    private mutating func decode(limit: UInt64) throws(LogError) {
        do throws(BatchHeaderFault) {
            let bytes = unsafe bytes(from: position, to: limit)
            try decoder.readHeader(bytes)
            try checkPlace()
            let payload = unsafe stored(at: position)
            try decoder.decode(payload, verify: true)
        } catch {
            throw fault(error)
        }
    }

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
    @_lifetime(immortal)
    private mutating func bytes(from first: UInt64, to limit: UInt64) -> RawSpan {
        let bytes = segment.bytes(from: first, to: limit)
        return unsafe _overrideLifetime(bytes, copying: ())
    }

    /// The stored payload of the batch at log position `start`, whose header was read last;
    /// likewise.
    @unsafe
    @_lifetime(immortal)
    private mutating func stored(at start: UInt64) -> RawSpan {
        let front = UInt64(decoder.header.headerBytes)
        let stored = UInt64(decoder.header.storedBytes)
        return unsafe bytes(from: start + front, to: start + front + stored)
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
