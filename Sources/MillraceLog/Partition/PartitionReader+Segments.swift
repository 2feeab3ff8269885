internal import MillraceSystem

/// Which segment the reader is in, and which comes next.
extension PartitionReader {
    mutating func refreshList() throws(LogError) {
        let version = control.segments.loadAcquiring()
        if version == listVersion { return }
        list = try files.segments(control)
        listVersion = version
        if segmentEnd > 0, let entry { try findSegment(entry) }
    }

    /// Takes the list anew when a segment of it was not there any more; throws any other error.
    mutating func renewList(after error: LogError) throws(LogError) {
        list = try files.segments(instead: list, control, after: error)
        if segmentEnd > 0, let entry { try findSegment(entry) }
    }

    /// Finds the end of the open segment in a new list.
    mutating func findSegment(_ entry: SegmentEntry) throws(LogError) {
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
    func endOfRemoved(_ entry: SegmentEntry) throws(LogError) -> UInt64 {
        guard let first = list.entries.first, first.header.epoch == entry.header.epoch else {
            // What its writer left behind its end when it was succeeded looks like batches.
            return published
        }
        // Its file was cut to its batches when the next segment was begun.
        let bytes = try segment.size() - SegmentHeader.byteCount
        return min(entry.header.basePosition + UInt64(max(bytes, 0)), first.header.basePosition)
    }

    /// Opens the segment that holds `position`.
    mutating func enterSegment() throws(LogError) {
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
    mutating func open(_ index: Int) throws(LogError) {
        let entry = list.entries[index]
        if self.entry != entry {
            let opened = try files.open(entry)
            lastBatch = nil
            segment = opened
            self.entry = entry
            epoch = entry.header.epoch
            try hold?.move(to: entry.header.basePosition)
            releasedUpTo = entry.header.basePosition
        }
        segmentEnd = list.limit(of: index, published: .max)
    }

    /// Goes on where the policy says when retention has removed the rows at `position`.
    mutating func skipLostRows() throws(LogError) {
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

    mutating func leaveSegment(at position: UInt64, offset: UInt64) {
        lastBatch = nil
        segment = Segment()
        entry = nil
        segmentEnd = 0
        previousChecksum = 0
        expectedOffset = nil
        self.position = position
        releasedUpTo = position
        nextOffset = offset
    }

    func outOfRange(_ offset: UInt64, _ end: UInt64) -> LogError {
        let start = list.entries.first?.header.baseOffset ?? 0
        let lost = offset < start ? ": \(start - offset) rows before it are gone" : ""
        return LogError(
            .offsetOutOfRange,
            "offset \(offset) is not in topic '\(files.topic)', partition \(files.partition), "
                + "which holds \(start) to \(end)" + lost,
            path: files.directory)
    }
}
