/// The decoded bytes of a file, whatever way it is stored.
struct ByteSource: ~Copyable, Sendable {
    private let file: InputFile
    private var decoder: FrameDecoder?
    /// The first bytes of an uncompressed file, which were read to recognise it.
    private var head: [UInt8]

    /// How many bytes it takes to recognise a format.
    static let headBytes = 6

    /// Opens the file and recognises how it is stored.
    init(path: String) throws(InputError) {
        let file = try InputFile(path: path)
        let head = try Self.readHead(of: file)
        let isFrame = head.starts(with: FrameDecoder.magic) || Self.isSkippableFrame(head)
        if !isFrame { try Self.refuseForeign(head, path: path) }
        self.decoder = isFrame ? FrameDecoder(path: path, head: head) : nil
        self.head = isFrame ? [] : head
        self.file = file
    }

    /// The first bytes of the file, `headBytes` where it has as many.
    private static func readHead(of file: borrowing InputFile) throws(InputError) -> [UInt8] {
        var head = [UInt8](repeating: 0, count: headBytes)
        var count = 0
        while count < head.count {
            let got = try file.read(into: &head, from: count)
            if got == 0 { break }
            count += got
        }
        return Array(head.prefix(count))
    }

    /// Reads decoded bytes into `buffer[start...]`, which has room for at least `headBytes`, and says
    /// how many; 0 only at the end.
    mutating func read(into buffer: inout [UInt8], from start: Int) throws(InputError) -> Int {
        if let decoder { return try decoder.read(into: &buffer, from: start, of: file) }
        if head.isEmpty { return try file.read(into: &buffer, from: start) }
        let count = head.count
        buffer.replaceSubrange(start..<(start + count), with: head)
        head = []
        return count
    }

    /// Frames that decoders skip: the magic numbers 0x184D2A50 to 0x184D2A5F.
    private static func isSkippableFrame(_ bytes: [UInt8]) -> Bool {
        bytes.count >= 4 && bytes[0] & 0xF0 == 0x50 && bytes[1...3] == [0x2A, 0x4D, 0x18]
    }

    /// Names the formats that would otherwise be read as very strange text.
    private static func refuseForeign(_ head: [UInt8], path: String) throws(InputError) {
        if path.hasSuffix(".lz4") {
            throw InputError(
                head.count < 4 ? .truncatedFrame : .corruptFrame, path: path, byte: 0,
                expected: "an LZ4 frame (04 22 4D 18)",
                found: head.isEmpty ? "an empty file" : Hexadecimal.text(head.prefix(4)))
        }
        let foreign: [(magic: [UInt8], name: String)] = [
            ([0x1F, 0x8B], "gzip"), ([0x28, 0xB5, 0x2F, 0xFD], "Zstandard"),
            ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], "xz"), ([0x50, 0x4B, 0x03, 0x04], "zip"),
            ([0x02, 0x21, 0x4C, 0x18], "legacy LZ4"),
        ]
        for format in foreign where head.starts(with: format.magic) {
            throw InputError(
                .unsupportedCompression, path: path, byte: 0,
                expected: "text, or text compressed as LZ4 frames",
                found: "a \(format.name) file: decompress it, and pipe it in or compress it by lz4")
        }
    }
}
