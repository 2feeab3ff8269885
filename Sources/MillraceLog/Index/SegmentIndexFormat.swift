internal import MillraceSystem

/// What an index knows of one batch of its segment.
struct IndexEntry: Sendable, Equatable {
    /// Offset of the batch's first row.
    var baseOffset: UInt64
    /// Log position of the batch.
    var position: UInt64
    /// No row before the batch in its segment has a larger timestamp; `Int64.min` for none before.
    var maxTimestampBefore: Int64
}

/// The sparse index of one segment, on the disk: `X.index` beside `X.log`.
///
/// Derived data: it can be removed, cut off or damaged at any time, and only speed is lost. A
/// header of 64 bytes, little-endian:
///
/// | Byte | Type | Field |
/// | --- | --- | --- |
/// | 0 | u64 | magic `MLRINDX1` |
/// | 8 | u32 | format version, 1 |
/// | 12 | u32 | CRC-32C of bytes 16 ..< 64 |
/// | 16 | u64 | topic id |
/// | 24 | u32 | partition |
/// | 28 | u32 | epoch |
/// | 32 | u64 | base position of the segment |
/// | 40 | i64 | no row of an earlier segment has a larger timestamp; 2^63 - 1: not known |
/// | 48 | - | zero |
///
/// Then slots of 32 bytes. Slot k is about the last batch that begins at or before byte k * 65,536
/// of the segment's batches:
///
/// | Byte | Type | Field |
/// | --- | --- | --- |
/// | 0 | u64 | base offset |
/// | 8 | u64 | log position |
/// | 16 | i64 | no row before the batch in the segment has a larger timestamp; -2^63 for none |
/// | 24 | u32 | zero |
/// | 28 | u32 | CRC-32C of bytes 0 ..< 28, continued from the CRC of header bytes 16 ..< 40 xor k |
///
/// A slot has its place, so that writing needs no order and no lock and can be repeated. A slot
/// whose checksum does not match, an empty one above all, is not known. Different seeds give
/// different checksums of the same bytes: a slot that was copied to another place never matches.
enum SegmentIndexFormat {
    static let magic: UInt64 = 0x3158_444E_4952_4C4D
    static let version: UInt32 = 1
    static let headerBytes = 64
    static let slotBytes = 32
    /// Bytes of batches from one slot to the next.
    static let interval = 1 << 16
    /// The value of a largest timestamp that nobody knows: it never rules anything out.
    static let unknownTimestamp = Int64.max

    /// The index of the segment at `segmentPath`.
    static func path(ofSegment segmentPath: String) -> String {
        let stem = segmentPath.hasSuffix(".log") ? String(segmentPath.dropLast(4)) : segmentPath
        return stem + ".index"
    }

    /// The slots that are about a batch of `bytes` bytes, `start` bytes behind the first batch.
    static func slots(of bytes: Int, at start: Int) -> Range<Int> {
        count(start)..<count(start + bytes)
    }

    /// Number of slots for `bytes` bytes of batches.
    static func count(_ bytes: Int) -> Int { (bytes + interval - 1) / interval }

    static func encode(
        _ header: SegmentHeader, priorMaxTimestamp: Int64, into bytes: inout MutableRawSpan
    ) {
        bytes.zero(0, to: headerBytes)
        bytes.store(magic, at: 0)
        bytes.store(version, at: 8)
        bytes.store(header.topicID, at: 16)
        bytes.store(header.partition, at: 24)
        bytes.store(header.epoch, at: 28)
        bytes.store(header.basePosition, at: 32)
        bytes.store(priorMaxTimestamp, at: 40)
        let checksum = CRC32C.checksum(bytes.bytes.extracting(16..<headerBytes))
        bytes.store(checksum, at: 12)
    }

    /// The largest timestamp before the segment; nil when this is not the index of the segment.
    static func priorMaxTimestamp(_ bytes: RawSpan, of header: SegmentHeader) -> Int64? {
        guard bytes.byteCount >= headerBytes, bytes.load(0) == magic, bytes.load(8) == version,
            bytes.load(12) == CRC32C.checksum(bytes.extracting(16..<headerBytes)),
            bytes.load(16) == header.topicID, bytes.load(24) == header.partition,
            bytes.load(28) == header.epoch, bytes.load(32) == header.basePosition
        else { return nil }
        return bytes.load(40)
    }

    /// What the checksums of a segment's slots continue from.
    static func seed(of header: SegmentHeader) -> UInt32 {
        var buffer = AlignedBuffer(byteCount: headerBytes)
        var bytes = buffer.mutableBytes
        encode(header, priorMaxTimestamp: 0, into: &bytes)
        return CRC32C.checksum(bytes.bytes.extracting(16..<40))
    }

    /// Writes slot `number` into the first 32 of `bytes`.
    static func encode(
        _ entry: IndexEntry, slot number: Int, seed: UInt32, into bytes: inout MutableRawSpan
    ) {
        bytes.store(entry.baseOffset, at: 0)
        bytes.store(entry.position, at: 8)
        bytes.store(entry.maxTimestampBefore, at: 16)
        bytes.store(UInt32(0), at: 24)
        let seed = seed ^ UInt32(truncatingIfNeeded: number)
        bytes.store(CRC32C.checksum(bytes.bytes.extracting(0..<28), seed: seed), at: 28)
    }

    /// The content of slot `number`; nil when it is not known.
    static func entry(_ bytes: RawSpan, slot number: Int, seed: UInt32) -> IndexEntry? {
        let seed = seed ^ UInt32(truncatingIfNeeded: number)
        guard bytes.byteCount == slotBytes,
            bytes.load(28) == CRC32C.checksum(bytes.extracting(0..<28), seed: seed)
        else { return nil }
        return IndexEntry(
            baseOffset: bytes.load(0), position: bytes.load(8), maxTimestampBefore: bytes.load(16))
    }
}

extension BatchHeader {
    /// The timestamp by which the batch is found: zero-row batches are not.
    var indexedTimestamp: Int64 { rows > 0 ? maxTimestamp : .min }
}
