internal import MillraceSystem

/// Compares the index of a segment with the batches that are there.
struct IndexCheck: Sendable {
    private struct Covering {
        let slots: Range<Int>
        let entry: IndexEntry
    }

    private let basePosition: UInt64
    private var batches: [Covering] = []
    private var largest = Int64.min
    private var bytes = 0

    /// A check of the segment whose batches begin at log position `basePosition`.
    init(basePosition: UInt64) { self.basePosition = basePosition }

    /// Tells of an intact batch, in the order of the log.
    mutating func add(_ header: BatchHeader, at position: UInt64) {
        let slots = SegmentIndexFormat.slots(
            of: header.batchBytes, at: Int(position - basePosition))
        if !slots.isEmpty {
            let entry = IndexEntry(
                baseOffset: header.baseOffset, position: position, maxTimestampBefore: largest)
            batches.append(Covering(slots: slots, entry: entry))
        }
        largest = max(largest, header.indexedTimestamp)
        bytes = Int(position - basePosition) + header.batchBytes
    }

    /// Reads the index of `part`, if there is one, and names every slot that is wrong.
    ///
    /// `prior` is the largest timestamp of the intact rows before. Returns the largest with those
    /// of this segment.
    func finish(_ part: SegmentPart, prior: Int64, _ findings: inout Findings) -> Int64 {
        let path = SegmentIndexFormat.path(ofSegment: part.path)
        if let header = part.header, Files.exists(path) {
            check(path, header, prior: prior, &findings)
        }
        return max(prior, largest)
    }

    private func check(
        _ path: String, _ header: SegmentHeader, prior: Int64, _ findings: inout Findings
    ) {
        func fault(_ position: Int, _ expected: String, _ found: String) {
            findings.faults.append(
                TopicVerification.Fault(
                    .derived, path, at: position, expected: expected, found: found))
        }
        let slotBytes = SegmentIndexFormat.slotBytes
        let start = SegmentIndexFormat.headerBytes
        var content = [UInt8](
            repeating: 0, count: start + SegmentIndexFormat.count(bytes) * slotBytes)
        do throws(SystemError) {
            _ = try FileHandle(path, .read).read(into: &content, at: 0)
            // A writer that died between making the file and its header left nothing to be believed.
            if content.prefix(start).allSatisfy({ $0 == 0 }) {
                return findings.note(path, "an index that was never begun")
            }
        } catch {
            return fault(0, "an index that can be read", error.reason)
        }
        let raw = unsafe content.span.bytes  // SAFETY: an array of bytes is initialised.
        guard let known = SegmentIndexFormat.priorMaxTimestamp(raw, of: header) else {
            return fault(0, "the header of the segment's index", "another")
        }
        if known < prior { fault(40, "a timestamp of at least \(prior)", "\(known)") }
        let seed = SegmentIndexFormat.seed(of: header)
        var truth = batches[...]
        for slot in 0..<SegmentIndexFormat.count(bytes) {
            let at = start + slot * slotBytes
            let slotRaw = raw.extracting(at..<at + slotBytes)
            while let first = truth.first, first.slots.upperBound <= slot { truth.removeFirst() }
            if (0..<slotBytes).allSatisfy({ slotRaw.load($0, as: UInt8.self) == 0 }) { continue }
            guard let entry = SegmentIndexFormat.entry(slotRaw, slot: slot, seed: seed) else {
                fault(at, "a slot that matches its checksum", "another")
                continue
            }
            // Slots about batches that cannot be read have nothing to be compared with.
            guard let wanted = truth.first, wanted.slots.contains(slot) else { continue }
            if entry.baseOffset != wanted.entry.baseOffset
                || entry.position != wanted.entry.position
                || entry.maxTimestampBefore < wanted.entry.maxTimestampBefore
            {
                fault(at, "\(wanted.entry)", "\(entry)")
            }
        }
    }
}
