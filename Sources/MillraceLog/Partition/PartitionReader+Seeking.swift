internal import MillraceSystem

extension PartitionReader {
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
        lastBatch = nil
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
}
