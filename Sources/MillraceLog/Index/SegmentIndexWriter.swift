internal import MillraceSystem

/// Fills the index of a segment while batches are appended to the segment.
///
/// Any number of writers, in any processes, may fill one index: what they write is the same. A
/// slot that could not be written stays unknown, which is not an error of the append.
/// **Durability**: none; an index is derived data. **Thread-safety**: one owner.
struct SegmentIndexWriter: ~Copyable, Sendable {
    private let basePosition: UInt64
    private let seed: UInt32
    private let file: FileHandle?
    private var buffer = AlignedBuffer(byteCount: SegmentIndexFormat.headerBytes)

    /// Opens the index of the segment at `segmentPath`, making it when it is not there.
    ///
    /// `priorMaxTimestamp` is at least the largest timestamp of all earlier segments: `Int64.min`
    /// when there are none, `SegmentIndexFormat.unknownTimestamp` when the caller does not know.
    init(segmentPath: String, header: SegmentHeader, priorMaxTimestamp: Int64) {
        let path = SegmentIndexFormat.path(ofSegment: segmentPath)
        do throws(SystemError) {
            file = try Self.open(path, header, priorMaxTimestamp: priorMaxTimestamp)
        } catch {
            file = nil
        }
        basePosition = header.basePosition
        seed = SegmentIndexFormat.seed(of: header)
    }

    /// Opens the file and makes its header right, unless that tells more than the caller knows.
    private static func open(
        _ path: String, _ header: SegmentHeader, priorMaxTimestamp: Int64
    ) throws(SystemError) -> FileHandle {
        let file = try FileHandle(path, .openOrCreate)
        var found = [UInt8](repeating: 0, count: SegmentIndexFormat.headerBytes)
        _ = try file.read(into: &found, at: 0)
        let raw = unsafe found.span.bytes  // SAFETY: an array of bytes is initialised.
        let unknown = SegmentIndexFormat.unknownTimestamp
        if SegmentIndexFormat.priorMaxTimestamp(raw, of: header) ?? unknown == unknown {
            var buffer = AlignedBuffer(byteCount: SegmentIndexFormat.headerBytes)
            var bytes = buffer.mutableBytes
            SegmentIndexFormat.encode(header, priorMaxTimestamp: priorMaxTimestamp, into: &bytes)
            try file.write(bytes.bytes.extracting(0..<SegmentIndexFormat.headerBytes), at: 0)
        }
        return file
    }

    /// Records a batch, which must be published and the segment's own.
    ///
    /// `maxTimestampBefore` is at least the largest `indexedTimestamp` of the batches before it in
    /// the segment; a larger value costs only speed.
    /// - Complexity: one small `pwrite` for a batch that covers a multiple of 64 KiB, else nothing.
    mutating func note(
        _ header: BatchHeader, at position: UInt64, maxTimestampBefore: Int64
    ) {
        note(
            bytes: header.batchBytes,
            IndexEntry(
                baseOffset: header.baseOffset, position: position,
                maxTimestampBefore: maxTimestampBefore))
    }

    /// The same, of a batch of `bytes` bytes.
    @inline(__always)
    mutating func note(bytes: Int, _ entry: IndexEntry) {
        let slots = SegmentIndexFormat.slots(of: bytes, at: Int(entry.position - basePosition))
        if !slots.isEmpty { write(entry, slots) }
    }

    private mutating func write(_ entry: IndexEntry, _ slots: Range<Int>) {
        let size = slots.count * SegmentIndexFormat.slotBytes
        buffer.reserve(size)
        Self.fill(&buffer, with: entry, slots: slots, seed: seed)
        let place =
            SegmentIndexFormat.headerBytes + slots.lowerBound * SegmentIndexFormat.slotBytes
        // A slot that cannot be written is not known: readers begin further ahead.
        do throws(SystemError) {
            try file?.write(buffer.bytes.extracting(0..<size), at: place)
        } catch {}
    }

    private static func fill(
        _ buffer: inout AlignedBuffer, with entry: IndexEntry, slots: Range<Int>, seed: UInt32
    ) {
        var bytes = buffer.mutableBytes
        for slot in slots {
            let start = (slot - slots.lowerBound) * SegmentIndexFormat.slotBytes
            var part = bytes._mutatingExtracting(start..<start + SegmentIndexFormat.slotBytes)
            SegmentIndexFormat.encode(entry, slot: slot, seed: seed, into: &part)
        }
    }
}
