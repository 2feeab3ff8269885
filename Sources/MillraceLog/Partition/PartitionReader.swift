internal import MillraceSystem

/// Reads one partition, batch by batch, in order.
///
/// Stored batches are seen in place in the mapped file; compressed ones are decoded once, into the
/// reader's own aligned arena. **Thread-safety**: one owner; any number of readers read at once.
public struct PartitionReader: ~Copyable, @unchecked Sendable {
    // Sendable: the segment it holds is its own.

    private let files: PartitionFiles
    private let control: ControlPage
    private var list: SegmentList
    private var listVersion: UInt64
    private var index = 0
    private var segment: Segment?
    private var position: UInt64 = 0
    private var decoder: BatchDecoder
    /// Offset of the first row that `next()` has not returned yet.
    public private(set) var nextOffset: UInt64 = 0

    init(
        files: PartitionFiles, decoding: ElementDecoding = ElementDecoding()
    ) throws(LogError) {
        let control = try files.openControl(writable: false)
        // The count is read first: a segment made after that shows as a change.
        let version = control.segments.loadAcquiring()
        let list = try files.segments()
        self.files = files
        self.control = control
        decoder = BatchDecoder(decoding)
        self.list = list
        listVersion = version
        position = list.entries.first?.header.basePosition ?? 0
        nextOffset = list.entries.first?.header.baseOffset ?? 0
    }

    /// Offset of the first row in the log.
    public var startOffset: UInt64 { list.entries.first?.header.baseOffset ?? 0 }

    /// The offset that the next appended row will get, as published so far.
    public var endOffset: UInt64 { control.endOffset.loadAcquiring() }

    /// Whether everything that is published has been read.
    public var isAtEnd: Bool {
        position >= PublishedWord(control.published.loadAcquiring()).position
    }

    /// Goes to row `offset`, or to the end of the log when that is where it lies.
    ///
    /// - Throws: `LogError` with code `offsetOutOfRange`.
    /// - Complexity: O(batches of one segment).
    public mutating func seek(to offset: UInt64) throws(LogError) {
        // Before the list of segments: what is published is then in a segment of the list.
        let published = PublishedWord(control.published.loadAcquiring()).position
        refreshIfChanged: do {
            let version = control.segments.loadAcquiring()
            if version == listVersion { break refreshIfChanged }
            list = try files.segments()
            listVersion = version
        }
        segment = nil
        guard let found = list.index(ofOffset: offset) else {
            guard list.entries.isEmpty, offset == 0 else { throw outOfRange(offset) }
            position = 0
            nextOffset = 0
            return
        }
        index = found
        let entry = list.entries[found]
        var walk = try BatchWalk(
            files.open(entry), limit: list.limit(of: found, published: published))
        var batchStart = walk.position
        var end = entry.header.baseOffset
        while let header = try walk.next() {
            end = header.baseOffset + UInt64(header.rows)
            if end > offset {
                position = batchStart
                nextOffset = offset
                return
            }
            batchStart = walk.position
        }
        // Offsets that a crash of the machine made unusable lie between the rows before and after.
        guard offset <= max(end, endOffset) || found + 1 < list.entries.count else {
            throw outOfRange(offset)
        }
        position = batchStart
        nextOffset = offset
    }

    private func outOfRange(_ offset: UInt64) -> LogError {
        LogError(
            .offsetOutOfRange,
            "offset \(offset) is not in topic '\(files.topic)', partition \(files.partition), "
                + "which holds \(startOffset) to \(endOffset)",
            path: files.directory)
    }

    /// The next batch; nil when everything published has been read.
    ///
    /// The batch borrows the reader until it goes away. Header and payload checksums are verified.
    /// - Throws: `LogError` with code `corrupt`; the reader stays where it was.
    /// - Complexity: O(bytes of the batch).
    @_lifetime(&self)
    public mutating func next() throws(LogError) -> RecordBatch? {
        let published = PublishedWord(control.published.loadAcquiring()).position
        guard position < published else { return nil }
        let limit = try enterSegment(published: published)
        try segment?.extend(to: limit)
        let header = try readHeader(limit: limit)
        let sought = nextOffset > header.baseOffset ? Int(nextOffset - header.baseOffset) : 0
        let skipped = min(sought, header.rows)
        let start = position
        try decode(header)
        position += UInt64(header.batchBytes)
        nextOffset = max(nextOffset, header.baseOffset + UInt64(header.rows))
        // SAFETY: the bytes are in the mapping or in the decoder, both of which live and stay as
        // they are until the reader, which the batch borrows, is used again.
        return unsafe _overrideLifetime(
            unsafe batch(header, at: start, skippedRows: skipped), mutating: &self)
    }

    /// The batch decoded last.
    ///
    /// The caller must not use it after the reader has moved on.
    @unsafe
    @_lifetime(immortal)
    private func batch(_ header: BatchHeader, at start: UInt64, skippedRows: Int) -> RecordBatch {
        let batch = decoder.batch(
            header, stored: storedPayload(of: header, at: start), skippedRows: skippedRows)
        return unsafe _overrideLifetime(batch, copying: ())
    }

    /// Opens the segment that holds `position`; returns the log position at which it ends.
    private mutating func enterSegment(published: UInt64) throws(LogError) -> UInt64 {
        let version = control.segments.loadAcquiring()
        if version != listVersion {
            list = try files.segments()
            listVersion = version
        } else if segment != nil {
            let limit = list.limit(of: index, published: published)
            if position < limit { return limit }
        }
        guard let found = list.index(ofPosition: position) else {
            throw LogError(
                .corrupt, "no segment holds the published position \(position)",
                path: files.directory)
        }
        if segment == nil || found != index || version != listVersion
            || segment?.path != list.entries[found].path
        {
            segment = try files.open(list.entries[found])
            index = found
        }
        return list.limit(of: found, published: published)
    }

    /// The header at `position`, its own checksum verified.
    private func readHeader(limit: UInt64) throws(LogError) -> BatchHeader {
        guard let segment else { preconditionFailure("read outside a segment") }
        do throws(BatchHeaderFault) {
            return try BatchHeader(segment.bytes(from: position, to: limit))
        } catch {
            throw fault(error)
        }
    }

    /// Verifies and decodes the payload at `position`.
    private mutating func decode(_ header: BatchHeader) throws(LogError) {
        do throws(BatchHeaderFault) {
            let stored = unsafe _overrideLifetime(
                storedPayload(of: header, at: position), copying: ())
            try decoder.decode(header, stored: stored, verify: true)
        } catch {
            throw fault(error)
        }
    }

    /// The stored payload of the batch at log position `start`.
    @_lifetime(borrow self)
    private func storedPayload(of header: BatchHeader, at start: UInt64) -> RawSpan {
        guard let segment else { preconditionFailure("read outside a segment") }
        let first = start + UInt64(header.headerBytes)
        let stored = segment.bytes(from: first, to: first + UInt64(header.storedBytes))
        return unsafe _overrideLifetime(stored, borrowing: self)
    }

    private func fault(_ fault: BatchHeaderFault) -> LogError {
        let path = list.entries[index].path
        let base = list.entries[index].header.basePosition
        return LogError.corrupt(
            path, at: SegmentHeader.byteCount + Int(position - base) + fault.byte,
            expected: fault.expected, found: fault.found)
    }
}
