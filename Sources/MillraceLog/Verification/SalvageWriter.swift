internal import MillraceSystem

/// Writes one partition of a salvaged topic, offline: segments, indexes, control page.
///
/// What belongs to the format of a written partition is here and nowhere else in salvage.
/// **Durability**: all of it once `finish` has returned. **Thread-safety**: one owner.
struct SalvageWriter: ~Copyable {
    private let directory: String
    private let topicID: UInt64
    private let partition: Int
    private(set) var counts = TopicVerification.Counts()
    private var epoch: UInt64 = 1
    private var position: UInt64 = 0
    /// Offset below which retention had removed all rows of the original.
    private var startOffset: UInt64?
    private var nextOffset: UInt64 = 0
    private var previousChecksum: UInt32 = 0
    /// Path of the original's segment that is being copied.
    private var source: String?
    private var segment: SalvagedSegment?
    private var buffer = AlignedBuffer(byteCount: BatchHeader.fullBytes)
    private var maxTimestamp = Int64.min

    init(directory: String, topicID: UInt64, partition: Int) throws(LogError) {
        try wrapping("cannot create the partition") { () throws(SystemError) in
            try Files.createDirectory(directory)
        }
        self.directory = directory
        self.topicID = topicID
        self.partition = partition
    }

    /// Begins above the epochs of the original, so that what refers to rows by offset and epoch can
    /// tell the copy's rows from others; at 1 again where the numbers, or a damaged page, leave
    /// little room above.
    mutating func begin(after newest: UInt64, startOffset: UInt64?) {
        self.startOffset = startOffset
        epoch = newest < PublishedWord.maxEpoch / 2 ? newest + 1 : 1
    }

    /// Appends an intact batch of the original's segment `part`; `batch` is the whole of it.
    mutating func append(
        _ original: BatchHeader, _ batch: RawSpan, of part: SegmentPart
    ) throws(LogError) {
        // Offsets are dense within an epoch.
        let isAfterHole = counts.batches > 0 && original.baseOffset != nextOffset
        if isAfterHole { epoch += 1 }
        if segment == nil || isAfterHole || source != part.path {
            try beginSegment(baseOffset: original.baseOffset, createdAt: part.header?.createdAt)
            source = part.path
        }
        var header = original
        header.epoch = UInt32(epoch)
        header.previousChecksum = previousChecksum
        // Nothing of the copy is on the disk yet; log positions of the original mean nothing here.
        header.durable = 0
        try segment?.write(&header, batch, &buffer, at: position)
        position += UInt64(header.batchBytes)
        nextOffset = header.baseOffset + UInt64(header.rows)
        previousChecksum = header.checksum
        counts.batches += 1
        counts.rows += UInt64(header.rows)
        counts.bytes += UInt64(header.batchBytes)
    }

    private mutating func beginSegment(
        baseOffset: UInt64, createdAt: Int64?
    ) throws(LogError) {
        try endSegment()
        startOffset = min(startOffset ?? baseOffset, baseOffset)
        guard epoch <= PublishedWord.maxEpoch else {
            throw LogError(
                .tooLarge, "the partition has more epochs and holes than the format can number",
                path: directory)
        }
        var header = SegmentHeader(
            topicID: topicID, partition: UInt32(partition), epoch: UInt32(epoch),
            baseOffset: baseOffset, basePosition: position)
        header.createdAt = createdAt ?? header.createdAt
        segment = try SalvagedSegment(directory, header, priorMaxTimestamp: maxTimestamp)
        counts.segments += 1
    }

    private mutating func endSegment() throws(LogError) {
        maxTimestamp = max(maxTimestamp, segment?.maxTimestamp ?? .min)
        try segment?.sync()
        segment = nil
    }

    /// Makes everything durable.
    ///
    /// The next append to the partition gets `nextOffset`. Returns what the partition holds.
    consuming func finish(
        nextOffset: UInt64, ceiling: UInt64
    ) throws(LogError) -> TopicVerification.Counts {
        if nextOffset > self.nextOffset {
            // The offsets in between are used up, which only a segment's base offset can say.
            if counts.batches > 0 { epoch += 1 }
            try beginSegment(baseOffset: nextOffset, createdAt: nil)
        }
        try endSegment()
        let path = directory + "/control"
        try ControlPage.create(
            path, topicID: topicID, partition: partition,
            at: PublishedWord(epoch: min(epoch, PublishedWord.maxEpoch), position: position),
            offset: nextOffset, startOffset: startOffset ?? nextOffset, ceiling: ceiling)
        let directory = directory
        try wrapping("cannot sync the partition") { () throws(SystemError) in
            try Files.syncDirectory(directory)
        }
        return counts
    }
}

/// The segment that a salvage is writing.
private final class SalvagedSegment {
    private let file: FileHandle
    private let basePosition: UInt64
    private var index: SegmentIndexWriter
    private(set) var maxTimestamp = Int64.min

    init(
        _ directory: String, _ header: SegmentHeader, priorMaxTimestamp: Int64
    ) throws(LogError) {
        let name = Segment.name(basePosition: header.basePosition, epoch: header.epoch)
        let path = directory + "/" + name
        let bytes = header.encoded()
        file = try wrapping("cannot create a segment") { () throws(SystemError) -> FileHandle in
            let file = try FileHandle(path, .createNew)
            try file.write(bytes, at: 0)
            return file
        }
        basePosition = header.basePosition
        index = SegmentIndexWriter(
            segmentPath: path, header: header, priorMaxTimestamp: priorMaxTimestamp)
    }

    /// Writes `header`, whose checksum it sets, the payload of `batch` and padding of zeros.
    func write(
        _ header: inout BatchHeader, _ batch: RawSpan, _ buffer: inout AlignedBuffer,
        at position: UInt64
    ) throws(LogError) {
        let start = SegmentHeader.byteCount + Int(position - basePosition)
        let payloadEnd = header.headerBytes + header.storedBytes
        Self.encode(&header, into: &buffer)
        do throws(SystemError) {
            try file.write(buffer.bytes.extracting(0..<header.headerBytes), at: start)
            try file.write(
                batch.extracting(header.headerBytes..<payloadEnd), at: start + header.headerBytes)
            let padding = [UInt8](repeating: 0, count: header.batchBytes - payloadEnd)
            try file.write(padding, at: start + payloadEnd)
        } catch {
            throw LogError(error, while: "cannot write the copy")
        }
        index.note(header, at: position, maxTimestampBefore: maxTimestamp)
        maxTimestamp = max(maxTimestamp, header.indexedTimestamp)
    }

    private static func encode(_ header: inout BatchHeader, into buffer: inout AlignedBuffer) {
        var bytes = buffer.mutableBytes
        header.encode(into: &bytes)
    }

    func sync() throws(LogError) {
        do throws(SystemError) { try file.sync() } catch {
            throw LogError(error, while: "cannot sync the copy")
        }
    }
}
