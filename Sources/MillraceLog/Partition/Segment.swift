internal import MillraceSystem

/// A segment file, mapped for reading by one reader.
final class Segment {
    let header: SegmentHeader
    let path: String
    private let file: FileHandle
    private var map: MappedFile

    /// The name of a segment's file: base position in decimal, epoch in hexadecimal.
    ///
    /// For example `00000000000000012345-0002a.log`. Two segments of one epoch never share a position, so a name is never used for other data.
    static func name(basePosition: UInt64, epoch: UInt32) -> String {
        let position = String(basePosition)
        let bump = String(epoch, radix: 16)
        return String(repeating: "0", count: 20 - position.count) + position + "-"
            + String(repeating: "0", count: 5 - bump.count) + bump + ".log"
    }

    init(path: String, topicID: UInt64, partition: Int) throws(LogError) {
        let file = try wrapping("cannot open the segment") { () throws(SystemError) in
            try FileHandle(path, .read)
        }
        let size = try Self.size(of: file)
        guard size >= SegmentHeader.byteCount else {
            throw LogError.corrupt(
                path, at: 0, expected: "a segment header of 128 bytes", found: "\(size) bytes")
        }
        let map = try Self.map(file, bytes: size)
        header = try SegmentHeader(
            map.bytes, path: path, topicID: topicID, partition: partition)
        self.path = path
        self.file = file
        self.map = map
    }

    private static func size(of file: borrowing FileHandle) throws(LogError) -> Int {
        do throws(SystemError) { return try file.size() } catch {
            throw LogError(error, while: "cannot look at the segment")
        }
    }

    private static func map(
        _ file: borrowing FileHandle, bytes: Int
    ) throws(LogError) -> MappedFile {
        do throws(SystemError) { return try file.map(bytes: bytes, writable: false) } catch {
            throw LogError(error, while: "cannot map the segment")
        }
    }

    /// Bytes up to log position `position`, mapping what has been appended since last time.
    ///
    /// - Throws: `corrupt` when the file ends before what the control page says is published.
    func extend(to position: UInt64) throws(LogError) {
        let needed = fileOffset(position)
        guard needed > map.byteCount else { return }
        let size = try Self.size(of: file)
        guard size >= needed else {
            throw LogError.corrupt(
                path, at: size, expected: "\(needed) published bytes", found: "\(size)")
        }
        map = try Self.map(file, bytes: size)
    }

    /// Size of the file in bytes.
    func size() throws(LogError) -> Int {
        try Self.size(of: file)
    }

    /// Where log position `position` lies in the file.
    func fileOffset(_ position: UInt64) -> Int {
        SegmentHeader.byteCount + Int(position - header.basePosition)
    }

    /// The bytes from log position `position` to `limit`, both inside the segment.
    @_lifetime(borrow self)
    func bytes(from position: UInt64, to limit: UInt64) -> RawSpan {
        // SAFETY: the mapping is replaced only by `extend`, between two batches.
        let span = map.bytes.extracting(fileOffset(position)..<fileOffset(limit))
        return unsafe _overrideLifetime(span, borrowing: self)
    }
}

/// A segment as the directory shows it.
struct SegmentEntry: Sendable, Equatable {
    let path: String
    let header: SegmentHeader
}

/// The segments of a partition that hold published batches, in order.
///
/// Every takeover and every roll makes a file. One made by a writer that was fenced before it
/// published begins where its successor's does; of two with one base position the newer epoch
/// counts. A segment reaches up to the base position of the next.
struct SegmentList: Sendable {
    private(set) var entries: [SegmentEntry] = []

    init(directory: String, topicID: UInt64, partition: Int) throws(LogError) {
        let names = try wrapping("cannot list the segments") { () throws(SystemError) in
            try Files.list(directory)
        }
        for name in names where name.hasSuffix(".log") {
            let path = directory + "/" + name
            let bytes = try wrapping("cannot read the segment") { () throws(SystemError) in
                let file = try FileHandle(path, .read)
                var bytes = [UInt8](repeating: 0, count: SegmentHeader.byteCount)
                let count = try file.read(into: &bytes, at: 0)
                bytes.removeSubrange(count...)
                return bytes
            }
            // A writer or the machine died between making the file and its header being on the
            // disk, which comes before the first batch: nothing is in it.
            if bytes.count < SegmentHeader.byteCount || bytes.allSatisfy({ $0 == 0 }) { continue }
            let span = bytes.span
            let raw = unsafe span.bytes  // SAFETY: an array of bytes is initialised.
            let header = try SegmentHeader(
                raw, path: path, topicID: topicID, partition: partition)
            entries.append(SegmentEntry(path: path, header: header))
        }
        entries.sort {
            ($0.header.basePosition, $0.header.epoch) < ($1.header.basePosition, $1.header.epoch)
        }
        var kept: [SegmentEntry] = []
        for entry in entries {
            if let last = kept.last, last.header.basePosition == entry.header.basePosition {
                kept.removeLast()
            }
            kept.append(entry)
        }
        entries = kept
    }

    /// Index of the segment that holds log position `position`.
    func index(ofPosition position: UInt64) -> Int? {
        entries.lastIndex { $0.header.basePosition <= position }
    }

    /// Index of the segment that holds row `offset`, or would.
    func index(ofOffset offset: UInt64) -> Int? {
        entries.lastIndex { $0.header.baseOffset <= offset }
    }

    /// The log position at which segment `index` ends, given what is published.
    func limit(of index: Int, published: UInt64) -> UInt64 {
        let next = index + 1
        return next < entries.count
            ? min(entries[next].header.basePosition, published) : published
    }
}
