internal import MillraceSystem

/// Finds batches of one segment by offset and by time.
///
/// Slots are read one at a time where a search looks at them, so that a search costs the same in a
/// segment of any size, and an index that is cut off meanwhile is no fault of memory. Whatever the
/// file holds, answers are right: see `start(forOffset:in:limit:)`.
/// **Thread-safety**: any number of threads.
struct SegmentIndex: ~Copyable, Sendable {
    /// No row of an earlier segment has a larger timestamp; nil when that is not known.
    let priorMaxTimestamp: Int64?
    private let header: SegmentHeader
    private let seed: UInt32
    private let file: FileHandle?
    /// Slots that the file has room for.
    private let capacity: Int

    /// Opens the index of the segment at `segmentPath`.
    ///
    /// One that is missing, unreadable or another segment's is as good as an empty one.
    init(segmentPath: String, header: SegmentHeader) {
        self.header = header
        seed = SegmentIndexFormat.seed(of: header)
        let path = SegmentIndexFormat.path(ofSegment: segmentPath)
        do throws(SystemError) {
            let file = try FileHandle(path, .read)
            let size = try file.size()
            var found = [UInt8](repeating: 0, count: SegmentIndexFormat.headerBytes)
            _ = try file.read(into: &found, at: 0)
            let raw = unsafe found.span.bytes  // SAFETY: an array of bytes is initialised.
            let prior = SegmentIndexFormat.priorMaxTimestamp(raw, of: header)
            let slotBytes = max(size - SegmentIndexFormat.headerBytes, 0)
            capacity = prior == nil ? 0 : slotBytes / SegmentIndexFormat.slotBytes
            priorMaxTimestamp = prior == SegmentIndexFormat.unknownTimestamp ? nil : prior
            self.file = consume file
        } catch {
            capacity = 0
            priorMaxTimestamp = nil
            file = nil
        }
    }

    /// The last known batch before `limit` whose base offset is at most `offset`.
    ///
    /// - Complexity: O(log slots), where no slot is unknown.
    func floor(ofOffset offset: UInt64, limit: UInt64 = .max) -> IndexEntry? {
        last(limit) { $0.baseOffset <= offset }
    }

    /// The last known batch before `limit` that begins at or before log position `position`.
    ///
    /// - Complexity: O(log slots), where no slot is unknown.
    func floor(ofPosition position: UInt64, limit: UInt64 = .max) -> IndexEntry? {
        last(limit) { $0.position <= position }
    }

    /// The last known batch before `limit` before which all rows are older than `time`.
    ///
    /// - Complexity: O(log slots), where no slot is unknown.
    func last(before time: Int64, limit: UInt64 = .max) -> IndexEntry? {
        last(limit) { $0.maxTimestampBefore < time }
    }

    /// The last known slot below `limit` for which `holds`, which no slot after the first that it
    /// does not hold for fulfils.
    private func last(_ limit: UInt64, where holds: (IndexEntry) -> Bool) -> IndexEntry? {
        guard limit > header.basePosition else { return nil }
        let covered = SegmentIndexFormat.count(Int(min(limit - header.basePosition, 1 << 50)))
        var low = 0
        var high = min(capacity, covered)
        var best: IndexEntry?
        while low < high {
            let middle = low + (high - low) / 2
            // The nearest known slot before it speaks for an unknown one.
            var probe = middle
            var entry = entry(probe)
            while entry == nil, probe > low {
                probe -= 1
                entry = self.entry(probe)
            }
            if let entry, !holds(entry) {
                high = probe
            } else {
                best = entry ?? best
                low = middle + 1
            }
        }
        return best
    }

    private func entry(_ slot: Int) -> IndexEntry? {
        var bytes = [UInt8](repeating: 0, count: SegmentIndexFormat.slotBytes)
        let place = SegmentIndexFormat.headerBytes + slot * SegmentIndexFormat.slotBytes
        // A slot that cannot be read is not known.
        do throws(SystemError) { _ = try file?.read(into: &bytes, at: place) } catch { return nil }
        let raw = unsafe bytes.span.bytes  // SAFETY: an array of bytes is initialised.
        return SegmentIndexFormat.entry(raw, slot: slot, seed: seed)
    }

    /// Where to begin to look for row `offset`: at a batch that the segment has there.
    ///
    /// What the index says is checked against the segment; in doubt it is the segment's start. The
    /// batch that holds the row is this one or one behind it.
    /// - Complexity: O(log slots), where no slot is unknown.
    func start(forOffset offset: UInt64, in segment: borrowing Segment, limit: UInt64) -> IndexEntry
    {
        confirmed(floor(ofOffset: offset, limit: limit), in: segment, limit: limit)
    }

    /// Where to begin to look for the first row that is not older than `time`.
    ///
    /// - Complexity: O(log slots), where no slot is unknown.
    func start(atOrAfter time: Int64, in segment: borrowing Segment, limit: UInt64) -> IndexEntry {
        confirmed(last(before: time, limit: limit), in: segment, limit: limit)
    }

    /// Where to begin to look at the end of the segment's batches.
    ///
    /// - Complexity: O(log slots), where no slot is unknown.
    func start(atPosition position: UInt64, in segment: borrowing Segment, limit: UInt64)
        -> IndexEntry
    {
        confirmed(floor(ofPosition: position, limit: limit), in: segment, limit: limit)
    }

    private func confirmed(
        _ entry: IndexEntry?, in segment: borrowing Segment, limit: UInt64
    ) -> IndexEntry {
        let start = IndexEntry(
            baseOffset: header.baseOffset, position: header.basePosition, maxTimestampBefore: .min)
        guard let entry, entry.position >= header.basePosition, entry.position < limit,
            entry.position % 64 == 0
        else { return start }
        // Damage of the segment is for the walk that follows to report.
        do throws(LogError) {
            let found = try segment.batchHeader(at: entry.position, limit: limit)
            return found.baseOffset == entry.baseOffset ? entry : start
        } catch {
            return start
        }
    }
}

extension Segment {
    /// The batch header at log position `position`, in the segment and before `limit`.
    ///
    /// - Throws: `LogError` with code `corrupt`.
    func batchHeader(at position: UInt64, limit: UInt64) throws(LogError) -> BatchHeader {
        guard covers(limit) else {
            throw LogError.corrupt(
                path, at: fileOffset(position), expected: "bytes up to \(fileOffset(limit))",
                found: "the end of the file")
        }
        do throws(BatchHeaderFault) {
            return try BatchHeader(bytes(from: position, to: limit))
        } catch {
            throw LogError.corrupt(
                path, at: fileOffset(position) + error.byte, expected: error.expected,
                found: error.found)
        }
    }
}
