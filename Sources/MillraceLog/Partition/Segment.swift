internal import MillraceSystem

/// A segment file, mapped for reading by one reader.
struct Segment: ~Copyable, Sendable {
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
        return String(repeating: "0", count: max(0, 20 - position.count)) + position + "-"
            + String(repeating: "0", count: max(0, 5 - bump.count)) + bump + ".log"
    }

    /// The base position that a segment's name tells; nil for another name.
    static func basePosition(ofName name: String) -> UInt64? {
        guard name.hasSuffix(".log"), let dash = name.firstIndex(of: "-") else { return nil }
        return UInt64(name[..<dash])
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

    /// No segment, for a reader that is in none.
    init() {
        header = SegmentHeader(
            topicID: 0, partition: 0, epoch: 0, baseOffset: 0, basePosition: 0)
        path = ""
        file = FileHandle()
        map = MappedFile()
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
    @inline(__always)
    mutating func extend(to position: UInt64) throws(LogError) {
        let needed = fileOffset(position)
        if needed > map.byteCount { try remap(needed) }
    }

    private mutating func remap(_ needed: Int) throws(LogError) {
        let size = try Self.size(of: file)
        guard size >= needed else {
            throw LogError.corrupt(
                path, at: size, expected: "\(needed) published bytes", found: "\(size)")
        }
        map = try Self.map(file, bytes: size)
    }

    /// Lets go of the memory of log positions `first ..< end`, which have been read.
    func release(from first: UInt64, to end: UInt64) {
        map.release(from: fileOffset(first), bytes: Int(end - first))
    }

    /// Whether the mapping reaches to log position `position`.
    func covers(_ position: UInt64) -> Bool { fileOffset(position) <= map.byteCount }

    /// Size of the file in bytes.
    func size() throws(LogError) -> Int {
        try Self.size(of: file)
    }

    /// Where log position `position` lies in the file.
    @inline(__always)
    func fileOffset(_ position: UInt64) -> Int {
        SegmentHeader.byteCount + Int(position - header.basePosition)
    }

    /// The bytes from log position `position` to `limit`, both inside the segment.
    @inline(__always)
    @_lifetime(borrow self)
    func bytes(from position: UInt64, to limit: UInt64) -> RawSpan {
        map.bytes.extracting(fileOffset(position)..<fileOffset(limit))
    }
}
