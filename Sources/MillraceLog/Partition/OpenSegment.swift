internal import MillraceSystem

/// The segment that a writer appends to.
///
/// Its space is allocated ahead, in steps that grow, so that a full disk is an error before a batch
/// is begun, and so that readers map the file once and not for every batch.
struct OpenSegment: ~Copyable, Sendable {
    let header: SegmentHeader
    let path: String
    private let file: FileHandle
    /// For mapped writes; nil when batches are written by `pwrite`.
    private var map: MappedFile?
    private var index: SegmentIndexWriter
    /// The `allocated` word read last.
    private var allocated = PublishedWord(epoch: 0, position: 0)
    /// Bytes of the file that are mapped.
    private var mapped = 0
    /// Bytes of the file up to which pages of the mapping are made.
    private var populated = 0

    private static let firstStep = 1 << 20
    private static let largestStep = 64 << 20
    /// How far ahead pages of a mapping are made, so that an append does not fault.
    private static let populateStep = 2 << 20

    /// Makes the file of a new segment; it is synced, with its name, when it is to be durable.
    ///
    /// A file of this name is one that a writer of this epoch made before it failed to publish in it.
    static func create(
        _ files: PartitionFiles, _ header: SegmentHeader, priorMaxTimestamp: Int64,
        isDurable: Bool
    ) throws(LogError) -> OpenSegment {
        let path =
            files.directory + "/"
            + Segment.name(basePosition: header.basePosition, epoch: header.epoch)
        let bytes = header.encoded()
        let file = try wrapping("cannot create a segment") { () throws(SystemError) in
            let file = try FileHandle(path, .openOrCreate)
            try file.truncate(to: 0)
            try file.write(bytes, at: 0)
            if isDurable {
                try file.sync()
                try Files.syncDirectory(files.directory)
            }
            return file
        }
        return OpenSegment(header, path, file, priorMaxTimestamp)
    }

    /// Opens a segment to go on with it.
    static func open(_ entry: SegmentEntry) throws(LogError) -> OpenSegment {
        let file = try wrapping("cannot open the segment") { () throws(SystemError) in
            try FileHandle(entry.path, .readWrite)
        }
        return OpenSegment(
            entry.header, entry.path, file, SegmentIndexFormat.unknownTimestamp)
    }

    private init(
        _ header: SegmentHeader, _ path: String, _ file: consuming FileHandle,
        _ priorMaxTimestamp: Int64
    ) {
        self.header = header
        self.path = path
        self.file = file
        map = nil
        index = SegmentIndexWriter(
            segmentPath: path, header: header, priorMaxTimestamp: priorMaxTimestamp)
    }

    private func fileOffset(_ position: UInt64) -> Int {
        SegmentHeader.byteCount + Int(position - header.basePosition)
    }

    /// Makes sure that there is space up to log position `end`.
    ///
    /// `mapped` asks for a mapping as well, which the file system may not allow. The append lock is held.
    mutating func reserve(
        to end: UInt64, segmentBytes: Int, mapped: Bool, control: borrowing ControlPage
    ) throws(LogError) {
        let word = control.allocated.loadAcquiring()
        if word != allocated.word { allocated = try control.allocated(word) }
        let isOurs = allocated.epoch == UInt64(header.epoch)
        let isCovered = !mapped || fileOffset(end) <= self.mapped
        if !isOurs || allocated.position < end || !isCovered {
            try grow(to: end, segmentBytes, mapped: mapped, control)
        }
        if mapped { populate(min(fileOffset(end), self.mapped)) }
    }

    private mutating func grow(
        to end: UInt64, _ segmentBytes: Int, mapped: Bool, _ control: borrowing ControlPage
    ) throws(LogError) {
        let isOurs = allocated.epoch == UInt64(header.epoch)
        let size = try Self.size(file)
        let needed = fileOffset(end)
        var isReal = isOurs && allocated.position >= end
        var newSize = size
        if size < needed {
            let step = min(max(size / 4, Self.firstStep), Self.largestStep)
            newSize = max(
                needed, min(aligned64(size + step), SegmentHeader.byteCount + segmentBytes))
            isReal = try Self.grow(file, from: size, to: newSize)
        }
        // Exchanged, not stored: who was succeeded must not tell of its own segment.
        let limit = header.basePosition + UInt64(newSize - SegmentHeader.byteCount) & ~63
        if isReal {
            _ = control.allocated.compareExchange(
                expected: allocated.word,
                desired: PublishedWord(epoch: UInt64(header.epoch), position: limit).word)
        }
        guard mapped, isReal else { return }
        map = try Self.map(file, bytes: newSize)
        self.mapped = newSize
    }

    private static func size(_ file: borrowing FileHandle) throws(LogError) -> Int {
        do throws(SystemError) { return try file.size() } catch {
            throw LogError(error, while: "cannot look at the segment")
        }
    }

    private static func grow(
        _ file: borrowing FileHandle, from size: Int, to newSize: Int
    ) throws(LogError) -> Bool {
        guard newSize > size else { return true }
        do throws(SystemError) { return try file.allocate(from: size, bytes: newSize - size) } catch
        {
            throw LogError(error, while: "cannot allocate space for the segment")
        }
    }

    private static func map(
        _ file: borrowing FileHandle, bytes: Int
    ) throws(LogError) -> MappedFile {
        do throws(SystemError) { return try file.map(bytes: bytes, writable: true) } catch {
            throw LogError(error, while: "cannot map the segment")
        }
    }

    /// Whether a batch from log position `begin` to `end` is to go into another segment, of a limited
    /// size and age; one without batches takes any.
    ///
    /// Mutating, as `write` is, so that the segment is not copied to be looked at.
    @inline(__always)
    mutating func isFull(
        from begin: UInt64, to end: UInt64, bytes: UInt64, milliseconds: Int?
    ) -> Bool {
        guard begin > header.basePosition else { return false }
        if end - header.basePosition > bytes { return true }
        guard let milliseconds else { return false }
        let age = Clock.wallNanoseconds().subtracting(clamped: header.createdAt)
        return age > Int64(milliseconds) * 1_000_000
    }

    /// Says that a batch is about to be written at log position `position`.
    @inline(__always)
    mutating func expect(at position: UInt64) {
        map?.prefetchToWrite(at: fileOffset(position), bytes: Self.expectedBytes)
    }

    /// What of a batch is asked for: of small ones, where it shows in their time, all.
    private static let expectedBytes = 512

    /// Puts the bytes of a batch at log position `position`, where there is space.
    mutating func write(_ bytes: RawSpan, at position: UInt64) throws(LogError) {
        let place = fileOffset(position)
        if map != nil, place + bytes.byteCount <= mapped {
            map?.write(bytes, at: place)
            return
        }
        do throws(SystemError) { try file.write(bytes, at: place) } catch {
            throw LogError(error, while: "cannot append")
        }
    }

    /// Puts the bytes of a batch, which stand in three pieces, at log position `position`.
    mutating func write(
        _ front: RawSpan, _ middle: RawSpan, _ back: RawSpan, at position: UInt64
    ) throws(LogError) {
        let place = fileOffset(position)
        let middlePlace = place + front.byteCount
        let backPlace = middlePlace + middle.byteCount
        if map != nil, backPlace + back.byteCount <= mapped {
            map?.write(front, at: place)
            map?.write(middle, at: middlePlace)
            map?.write(back, at: backPlace)
            return
        }
        do throws(SystemError) { try file.write(front, middle, back, at: place) } catch {
            throw LogError(error, while: "cannot append")
        }
    }

    /// Makes pages ahead of byte `end` of the file, so that an append does not fault.
    private mutating func populate(_ end: Int) {
        guard end > populated else { return }
        let from = max(populated, end - Self.populateStep)
        let bytes = min(mapped - from, end - from + Self.populateStep)
        // Where the kernel cannot, the pages come one by one, as they are written.
        do throws(SystemError) { _ = try map?.populate(from: from, bytes: bytes) } catch {}
        populated = from + bytes
    }

    /// Takes note of a published batch, for the index.
    @inline(__always)
    mutating func note(bytes: Int, _ entry: IndexEntry) { index.note(bytes: bytes, entry) }

    /// Gives back the space behind `end`, the end of the segment's batches.
    ///
    /// Writing the segment to the disk begins. The append lock is held.
    func seal(at end: UInt64, control: borrowing ControlPage) throws(LogError) {
        let allocated = try control.allocatedValue()
        if allocated.epoch == UInt64(header.epoch) {
            // Told first: nobody writes to space that is gone.
            guard
                control.allocated.compareExchange(
                    expected: allocated.word,
                    desired: PublishedWord(epoch: allocated.epoch, position: end).word)
            else { return }
        }
        do throws(SystemError) {
            try file.truncate(to: fileOffset(end))
            try file.startWriteback(from: 0, bytes: fileOffset(end))
        } catch {
            throw LogError(error, while: "cannot seal the segment")
        }
    }
}
