internal import MillraceSystem

/// Finding the end of a partition after the machine went down.
///
/// The control page may be older or newer than the segments, and of what was not synced any part
/// may be missing. The batches are read in order; the first that does not hold ends the log, and
/// all behind it is dropped and counted (torn), be it intact or not. But what is known to have been
/// durable cannot be torn: damage there is corruption and is refused. What was durable tell the
/// control page and every intact batch behind the damage, which carries the durable position of its
/// time.
struct CrashRecovery {
    let files: PartitionFiles
    let sources: SourceTopics?
    /// Where the log ends.
    private(set) var cursor: LogCursor
    /// Bytes that were dropped.
    private(set) var tornBytes = 0
    /// Segment files that are not part of the log any more.
    private(set) var leftovers: [String]
    /// The newest epoch that any segment or the control page knows.
    private(set) var epoch: UInt64
    /// The published word and the state that were found.
    private let published: UInt64
    private let state: UInt64
    /// What the control page knows to be durable.
    private let durable: UInt64
    private let list: SegmentList

    /// Reads the partition and writes nothing.
    ///
    /// The append lock is held.
    init(
        _ files: PartitionFiles, control: borrowing ControlPage, sources: SourceTopics?
    ) throws(LogError) {
        self.files = files
        self.sources = sources
        published = control.published.loadAcquiring()
        state = control.state.loadAcquiring()
        durable = try control.durablePosition()
        let start = try control.startPosition()
        let found = try SegmentList.tolerant(files, start: start)
        list = found.list
        leftovers = list.leftovers
        epoch = max(try control.publishedValue().epoch, UInt64(list.newestEpoch))
        // What lies before the segment that holds the durable end was durable as a whole.
        let known = list.index(ofPosition: durable) ?? 0
        let first =
            durable > 0 && known > 0
                && list.entries[known].header.basePosition == durable ? known - 1 : known
        cursor = LogCursor(
            at: list.entries.isEmpty ? nil : list.entries[first].header, producer: 0)
        if list.entries.first?.header.basePosition == start {
            try walk(from: first)
        } else {
            // The first segment was not on the disk yet: whatever lies behind it goes with it.
            cursor = LogCursor(at: nil, producer: 0)
            cursor.position = start
            try end(at: 0, files.missingSegment(start))
        }
        try refuse(found.damaged)
        guard durable <= cursor.position else {
            throw LogError(
                .corrupt,
                "corrupt data: expected segments up to log position \(durable), which was durable, "
                    + "found them up to \(cursor.position); nothing was repaired",
                path: files.directory)
        }
        // Somebody may remember offsets that were lost: they are never used for other rows.
        cursor.offset = max(cursor.offset, try control.ceilingValue())
    }

    private mutating func walk(from first: Int) throws(LogError) {
        for index in list.entries.indices.dropFirst(first) {
            if let damage = try walk(index) { return try end(at: index, damage) }
        }
    }

    /// Ends the log before the damage in segment `index`, unless what is lost was durable.
    private mutating func end(at index: Int, _ damage: LogError) throws(LogError) {
        let attested = try attestation(from: index, behind: cursor.position)
        guard max(durable, attested) <= cursor.position else { throw damage }
        try drop(from: index)
    }

    /// Walks one segment; returns what is wrong with the first batch that does not hold.
    private mutating func walk(_ index: Int) throws(LogError) -> LogError? {
        let entry = list.entries[index]
        let isLast = index == list.entries.count - 1
        let segment = try files.open(entry)
        let fileEnd = try Self.end(of: segment)
        if cursor.position <= entry.header.basePosition { cursor.enter(entry.header) }
        let limit = isLast ? fileEnd : list.limit(of: index, published: .max)
        var walk = try BatchWalk(segment, limit: min(limit, fileEnd))
        do throws(LogError) {
            while let header = try walk.next() {
                try check(header, walk)
                cursor.pass(header)
            }
        } catch {
            guard error.code == .corrupt else { throw error }
            let rest = walk.segment.bytes(from: cursor.position, to: walk.limit)
            return isLast && Self.usedBytes(rest) == 0 ? nil : error
        }
        guard limit > cursor.position else { return nil }
        return LogError.corrupt(
            entry.path, at: Int(fileEnd - entry.header.basePosition),
            expected: "batches up to log position \(limit)", found: "the end of the file")
    }

    /// Log position at which the segment's file ends.
    private static func end(of segment: borrowing Segment) throws(LogError) -> UInt64 {
        let bytes = try segment.size() - SegmentHeader.byteCount
        return segment.header.basePosition + UInt64(max(0, bytes))
    }

    private func check(_ header: BatchHeader, _ walk: borrowing BatchWalk) throws(LogError) {
        func fault(_ expected: String, _ found: String) -> LogError {
            .corrupt(
                walk.segment.path, at: walk.segment.fileOffset(cursor.position),
                expected: expected, found: found)
        }
        // A writer that went on behind what retention removed did not know the batch before.
        let isFirst =
            header.previousChecksum == 0
            && cursor.position == walk.segment.header.basePosition
        guard cursor.checksum == 0 || isFirst || header.previousChecksum == cursor.checksum else {
            throw fault(
                "a batch that follows header \(hex(cursor.checksum))",
                hex(header.previousChecksum))
        }
        guard header.baseOffset == cursor.offset else {
            throw fault("base offset \(cursor.offset)", "\(header.baseOffset)")
        }
        // What was durable is checked when it is read, like everything.
        guard cursor.position >= durable else { return }
        guard walk.payloadMatches(header) else {
            throw fault("a payload that matches its checksum", "another")
        }
        if let sources, let origin = header.origin, try !sources.holdsRows(of: origin) {
            throw fault("a batch whose source rows are there", "rows lost with the machine")
        }
    }

    /// The largest durable position that an intact header behind `position` carries; 0 when there
    /// is none.
    private func attestation(
        from index: Int, behind position: UInt64
    ) throws(LogError) -> UInt64 {
        var largest: UInt64 = 0
        for entry in list.entries[index...] {
            var segment = try files.open(entry)
            let end = try Self.end(of: segment)
            try segment.extend(to: end)
            var at = max(position, entry.header.basePosition)
            while at + UInt64(BatchHeader.plainBytes) <= end {
                let bytes = segment.bytes(from: at, to: end)
                if let header = Self.header(bytes), header.durable <= at,
                    header.epoch == entry.header.epoch, header.baseOffset >= cursor.offset
                {
                    largest = max(largest, header.durable)
                }
                at += 64
            }
        }
        return largest
    }

    private static func header(_ bytes: RawSpan) -> BatchHeader? {
        guard bytes.load(0, as: UInt32.self) == BatchHeader.magic else { return nil }
        do throws(BatchHeaderFault) { return try BatchHeader(bytes) } catch { return nil }
    }

    /// Counts what is dropped from segment `index` on.
    private mutating func drop(from index: Int) throws(LogError) {
        for later in list.entries.indices where later >= index {
            let entry = list.entries[later]
            var segment = try files.open(entry)
            let end = try Self.end(of: segment)
            try segment.extend(to: end)
            let first = max(cursor.position, entry.header.basePosition)
            if first < end { tornBytes += Self.usedBytes(segment.bytes(from: first, to: end)) }
            if entry.header.basePosition >= cursor.position { leftovers.append(entry.path) }
        }
    }

    /// A damaged header of a segment that could have had batches which were durable is corruption.
    private mutating func refuse(_ damaged: [DamagedSegment]) throws(LogError) {
        for segment in damaged {
            guard let base = Segment.basePosition(ofName: segment.name),
                base >= max(durable, cursor.position)
            else { throw segment.fault }
            leftovers.append(files.directory + "/" + segment.name)
        }
    }

    /// Bytes up to the last one that is not zero.
    private static func usedBytes(_ bytes: RawSpan) -> Int {
        var end = bytes.byteCount
        while end % 8 != 0, bytes.load(end - 1, as: UInt8.self) == 0 { end -= 1 }
        guard end % 8 == 0 else { return end }
        while end >= 8, bytes.load(end - 8, as: UInt64.self) == 0 { end -= 8 }
        while end > 0, bytes.load(end - 1, as: UInt8.self) == 0 { end -= 1 }
        return end
    }
}

/// Putting the result in force.
extension CrashRecovery {
    /// Begins a segment of a fresh epoch behind what was kept, so that nothing that was dropped can
    /// come back, and removes what is not part of the log.
    ///
    /// - Returns: false, and nothing changed, when another has recovered the partition meanwhile.
    func apply(control: borrowing ControlPage, boot: UInt64) throws(LogError) -> Bool {
        let fresh = PublishedWord(epoch: epoch + 1, position: cursor.position)
        try files.checkEpoch(fresh.epoch)
        // From here on the recovery is ours: whoever pushed us aside in the meantime, or was pushed
        // aside by us, read another word.
        guard control.published.compareExchange(expected: published, desired: fresh.word) else {
            return false
        }
        ControlPage.raise(
            control.offsetCeiling, to: PartitionWriter.ceiling(above: cursor.offset))
        try control.sync()
        let header = SegmentHeader(
            topicID: files.topicID, partition: UInt32(files.partition),
            epoch: UInt32(fresh.epoch), baseOffset: cursor.offset, basePosition: fresh.position)
        let path =
            files.directory + "/"
            + Segment.name(
                basePosition: fresh.position, epoch: header.epoch)
        let bytes = header.encoded()
        let kept = list.entries.filter { $0.header.basePosition < fresh.position }.map(\.path)
        try wrapping("cannot begin a segment after a crash of the machine") {
            () throws(SystemError) in
            for path in kept { try FileHandle(path, .read).syncData() }
            let file = try FileHandle(path, .openOrCreate)
            try file.truncate(to: 0)
            try file.write(bytes, at: 0)
            try file.sync()
            try Files.syncDirectory(files.directory)
        }
        ControlPage.raise(control.endOffset, to: cursor.offset)
        ControlPage.raise(control.durable, to: fresh.position >> 6)
        control.allocated.storeReleasing(fresh.word)
        control.clean.storeReleasing(ControlPage.written)
        _ = control.state.compareExchange(expected: state, desired: ControlPage.open)
        control.boot.storeReleasing(CheckedWord.seal(boot))
        control.segments.add(1)
        try control.sync()
        // A recovery that did not end may have begun this very segment.
        try files.remove(leftovers.filter { $0 != path })
        return true
    }
}

extension PartitionFiles {
    /// Throws when no epoch is left.
    func checkEpoch(_ epoch: UInt64) throws(LogError) {
        guard epoch <= PublishedWord.maxEpoch else {
            throw LogError(
                .tooLarge,
                "writers of the partition have died or hung \(PublishedWord.maxEpoch) times; copy "
                    + "it to a new topic with 'topic verify \(topic) --salvage DIR'",
                path: control)
        }
    }

    /// Removes segment files, with their indexes, where they still exist.
    func remove(_ segments: [String]) throws(LogError) {
        guard !segments.isEmpty else { return }
        for segment in segments {
            for path in [segment, SegmentIndexFormat.path(ofSegment: segment)] {
                do throws(SystemError) { try Files.remove(path) } catch {
                    if !error.isNotFound {
                        throw LogError(error, while: "cannot remove a segment")
                    }
                }
            }
        }
        do throws(SystemError) { try Files.syncDirectory(directory) } catch {
            throw explained(LogError(error, while: "cannot sync the partition's directory"))
        }
    }
}
