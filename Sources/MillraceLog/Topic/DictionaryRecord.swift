internal import MillraceSystem

/// One text of a topic's dictionary, as its file holds it.
///
/// Records stand one behind the other, each at a multiple of 16 bytes, little-endian:
///
/// | Byte | Type | Field |
/// | --- | --- | --- |
/// | 0 | u32 | bytes of the text, 1 to 2^24 |
/// | 4 | u32 | CRC-32C of the record's bytes from 16 on |
/// | 8 | u32 | id: number of the record in the file, from 1 |
/// | 12 | u32 | CRC-32C of bytes 0 ..< 12 |
/// | 16 | | the text in UTF-8, without zero bytes |
/// | | | line feeds up to a multiple of 16 bytes |
///
/// A record is on the disk before its id is given to anybody and before the next one is written. So
/// only the last one can be torn: its writer died, or the machine went down while it was written.
/// Then the file ends inside it, or it has zeros where a sector of 512 bytes was not written. No
/// header lies in two sectors, and no 16 bytes of a record are without bits, in several places;
/// so a record that was given out and is damaged since never looks torn.
struct DictionaryRecord: Sendable, Equatable {
    static let headerBytes = 16
    static let maxTextBytes = 1 << 24
    private static let sectorBytes = 512
    private static let filler: UInt8 = 0x0A

    /// Bytes of the text.
    let length: Int
    /// CRC-32C of text and line feeds.
    let checksum: UInt32
    /// Number of the record, from 1.
    let id: Int

    /// Bytes of a record with a text of `length` bytes.
    static func size(ofText length: Int) -> Int { headerBytes + (length + 15) & ~15 }

    /// Bytes of the record.
    var size: Int { Self.size(ofText: length) }

    /// The header at byte `at`; nil when it is not whole.
    ///
    /// No text contains a header, which has zeros in its length.
    init?(header at: Int, in file: RawSpan) {
        guard at + Self.headerBytes <= file.byteCount,
            file.load(at + 12) == CRC32C.checksum(file.extracting(at..<at + 12))
        else { return nil }
        let length = Int(file.load(at, as: UInt32.self))
        let id = Int(file.load(at + 8, as: UInt32.self))
        guard (1...Self.maxTextBytes).contains(length), id > 0 else { return nil }
        self.length = length
        checksum = file.load(at + 4)
        self.id = id
    }

    /// Whether the text of the record at byte `at` is as it was written.
    func isIntact(at: Int, in file: RawSpan) -> Bool {
        at + size <= file.byteCount
            && CRC32C.checksum(file.extracting(at + Self.headerBytes..<at + size)) == checksum
    }

    /// A record with `text`, which is not empty and has no zero bytes.
    static func encoded(_ text: [UInt8], id: Int) -> [UInt8] {
        let size = size(ofText: text.count)
        let body = text + [UInt8](repeating: filler, count: size - headerBytes - text.count)
        return header(length: text.count, checksum: CRC32C.checksum(of: body.span), id: id) + body
    }

    /// The header of a record.
    static func header(length: Int, checksum: UInt32, id: Int) -> [UInt8] {
        var header: [UInt8] = []
        for word in [UInt32(length), checksum, UInt32(id)] { append(word, to: &header) }
        append(CRC32C.checksum(of: header.span), to: &header)
        return header
    }

    private static func append(_ word: UInt32, to bytes: inout [UInt8]) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: word >> shift))
        }
    }

    /// The first place behind `at` where a header is whole.
    static func next(behind at: Int, in file: RawSpan) -> Int? {
        stride(from: at + headerBytes, to: file.byteCount, by: headerBytes).first {
            DictionaryRecord(header: $0, in: file) != nil
        }
    }

    /// Whether the broken record at byte `at` was never given to anybody.
    static func isTorn(at: Int, in file: RawSpan) -> Bool {
        guard file.byteCount - at >= headerBytes else { return true }
        guard let record = DictionaryRecord(header: at, in: file) else {
            return isMissing(sectorOf: at, to: file.byteCount, in: file)
                && next(behind: at, in: file) == nil
        }
        let end = at + record.size
        guard end <= file.byteCount else { return next(behind: at, in: file) == nil }
        var place = at
        while end == file.byteCount, place < end {
            if isMissing(sectorOf: place, to: end, in: file) { return true }
            place = (place / sectorBytes + 1) * sectorBytes
        }
        return false
    }

    /// Whether there are only zeros from `place` to the end of its sector, or to `end`.
    private static func isMissing(sectorOf place: Int, to end: Int, in file: RawSpan) -> Bool {
        let limit = min((place / sectorBytes + 1) * sectorBytes, end)
        return (place..<limit).allSatisfy { file.load($0, as: UInt8.self) == 0 }
    }
}
