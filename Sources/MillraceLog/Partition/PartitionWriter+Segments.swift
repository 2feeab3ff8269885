internal import MillraceSystem

/// When a segment is begun and closed, and what is due then.
extension PartitionWriter {
    /// Whether a segment is open that takes a batch which ends at `end`.
    @inline(__always)
    mutating func hasRoom(to end: UInt64) -> Bool {
        let isFull = segment?.isFull(
            from: cursor.position, to: end, bytes: segmentBytes, milliseconds: segmentMilliseconds)
        return isFull == false && end <= LogLimits.maxPosition
    }

    /// Opens a segment that takes a batch which ends at `end`, where none does.
    mutating func prepareSegment(to end: UInt64) throws(LogError) {
        guard end <= LogLimits.maxPosition else {
            throw LogError(
                .tooLarge,
                "the partition has taken \(LogLimits.maxPosition) bytes of batches, the most that "
                    + "it can in its life; go on in a new topic",
                path: files.directory)
        }
        if segment == nil, let newest = list.entries.last,
            UInt64(newest.header.epoch) == seen.epoch
        {
            guard newest.header.basePosition <= cursor.position else {
                throw LogError.corrupt(
                    files.control, at: ControlPage.publishedByte,
                    expected: "a log position in the newest segment, which begins at "
                        + "\(newest.header.basePosition)",
                    found: "\(cursor.position)")
            }
            segment = try OpenSegment.open(newest)
        }
        guard !hasRoom(to: end) else { return }
        rolledAt = list.entries.last?.header.basePosition ?? rolledAt
        if segment != nil { try roll() }
        if segment == nil { try beginSegment() }
    }

    private mutating func beginSegment() throws(LogError) {
        let header = SegmentHeader(
            topicID: files.topicID, partition: UInt32(files.partition),
            epoch: UInt32(seen.epoch), baseOffset: cursor.offset, basePosition: cursor.position)
        let prior = try priorMaxTimestamp()
        // What an owner that was succeeded wrote and did not publish must not come back in its
        // place when the machine goes down.
        let isOfNewEpoch = list.entries.last.map { $0.header.epoch != header.epoch } ?? false
        do throws(LogError) {
            let opened = try OpenSegment.create(
                files, header, priorMaxTimestamp: prior, isDurable: isOfNewEpoch)
            segment = consume opened
        } catch {
            if error.cause?.operation == "fsync" { throw files.poison(control, error) }
            throw files.explained(error)
        }
        cursor.enter(header)
        // The count before the list: a segment made after that shows as a change.
        let version = control.segments.add(1)
        list = try files.segments(control)
        listVersion = version
    }

    /// The largest timestamp in the segments before a new one.
    private mutating func priorMaxTimestamp() throws(LogError) -> Int64 {
        while true {
            let lookup = TimestampLookup(files: files, list: list, published: cursor.position)
            do throws(LogError) {
                return try lookup.priorMaxTimestamp(ofSegment: list.entries.count)
            } catch {
                list = try files.segments(instead: list, control, after: error)
            }
        }
    }

    /// What is due when a segment was begun: the ones before the last are made durable, whatever
    /// the flush policy, and retention is applied.
    ///
    /// So what a machine crash can lose, and what recovery must check, are the two newest segments.
    mutating func afterRoll() throws(LogError) {
        guard let position = rolledAt else { return }
        try flusher.flush(through: position, control: control, slot: slot, seen: sources)
        rolledAt = nil
        // Rows that stay too long are no reason to refuse new ones: the next roll tries again.
        do throws(LogError) { try applyRetention() } catch {}
    }

    /// Closes the open segment: the next append begins another.
    mutating func closeSegment() throws(LogError) {
        var holding = try lock()
        defer { unlock(holding) }
        try enter(&holding)
        try roll()
    }

    /// Begins a new segment behind the newest one, unless that has no batch yet.
    private mutating func roll() throws(LogError) {
        guard let newest = list.entries.last, cursor.position > newest.header.basePosition else {
            return
        }
        // Who reads in the segment when retention has removed it finds its end by the file's.
        if segment == nil, UInt64(newest.header.epoch) == seen.epoch {
            segment = try OpenSegment.open(newest)
        }
        try segment?.seal(at: cursor.position, control: control)
        segment = nil
        try beginSegment()
    }
}
