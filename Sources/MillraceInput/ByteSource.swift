/// The decoded bytes of a file, whatever way it is stored.
struct ByteSource: ~Copyable, Sendable {
    private let file: InputFile
    private var decoder: FrameDecoder?
    /// The first bytes of an uncompressed file, which were read to recognise it.
    private var head: [UInt8]

    /// How many bytes it takes to recognise a format.
    static let headBytes = 6

    private let isText: Bool
    private var isRecognised = false

    /// Opens the file; how it is stored is recognised by `recognise`, or by the first read.
    ///
    /// Where it is to hold text, what is compressed otherwise than as LZ4 frames is refused by name;
    /// numbers may look like anything.
    init(path: String, isText: Bool = true) throws(InputError) {
        file = try InputFile(path: path)
        decoder = nil
        head = []
        self.isText = isText
    }

    /// Recognises how the file is stored, for which its first bytes are read.
    mutating func recognise() throws(InputError) {
        guard !isRecognised else { return }
        let head = try Self.readHead(of: file)
        let isFrame = head.starts(with: FrameDecoder.magic) || Self.isSkippableFrame(head)
        if !isFrame { try Self.refuseForeign(head, path: file.path, isText: isText) }
        decoder = isFrame ? FrameDecoder(path: file.path, head: head) : nil
        self.head = isFrame ? [] : head
        isRecognised = true
    }

    /// The first bytes of the file, as many as it takes: a few are not waited for once they cannot be
    /// the beginning of a format.
    private static func readHead(of file: borrowing InputFile) throws(InputError) -> [UInt8] {
        var head = [UInt8](repeating: 0, count: headBytes)
        var count = 0
        while count < head.count, mayBeFormat(head[..<count]) {
            let got = try file.read(into: &head, from: count)
            if got == 0 { break }
            count += got
        }
        return Array(head.prefix(count))
    }

    /// Whether a file that begins so may turn out not to be plain.
    private static func mayBeFormat(_ head: ArraySlice<UInt8>) -> Bool {
        guard let first = head.first else { return true }
        let skippable = [first & 0xF0 == 0x50 ? first : 0x50, 0x2A, 0x4D, 0x18]
        let formats = [FrameDecoder.magic, skippable] + foreign.map(\.magic)
        return formats.contains { $0.starts(with: head) && $0.count > head.count }
    }

    /// Reads decoded bytes into `buffer[start...]`, which has room for at least `headBytes`, and says
    /// how many; 0 only at the end.
    mutating func read(into buffer: inout [UInt8], from start: Int) throws(InputError) -> Int {
        try recognise()
        if let decoder { return try decoder.read(into: &buffer, from: start, of: file) }
        if head.isEmpty { return try file.read(into: &buffer, from: start) }
        let count = head.count
        buffer.replaceSubrange(start..<(start + count), with: head)
        head = []
        return count
    }

    /// How many bytes the file has, and how many of them have been read; nil for a pipe or a terminal.
    var progress: (read: Int, total: Int)? {
        file.byteCount.map { (min(file.position, $0), $0) }
    }

    /// Whether there is something to read, or the end, after at most so many milliseconds.
    func isReady(withinMilliseconds milliseconds: Int) -> Bool {
        if !head.isEmpty || decoder?.mayHaveMore == true { return true }
        return file.isReady(withinMilliseconds: milliseconds)
    }

    /// Frames that decoders skip: the magic numbers 0x184D2A50 to 0x184D2A5F.
    private static func isSkippableFrame(_ bytes: [UInt8]) -> Bool {
        bytes.count >= 4 && bytes[0] & 0xF0 == 0x50 && bytes[1...3] == [0x2A, 0x4D, 0x18]
    }

    /// Formats that are known by how they begin, and not read.
    private static let foreign: [(magic: [UInt8], name: String)] = [
        ([0x1F, 0x8B], "gzip"), ([0x28, 0xB5, 0x2F, 0xFD], "Zstandard"),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], "xz"), ([0x50, 0x4B, 0x03, 0x04], "zip"),
        ([0x02, 0x21, 0x4C, 0x18], "legacy LZ4"),
    ]

    /// Names the formats that would otherwise be read as very strange text.
    private static func refuseForeign(
        _ head: [UInt8], path: String, isText: Bool
    ) throws(InputError) {
        if path.hasSuffix(".lz4") {
            throw InputError(
                head.count < 4 ? .truncatedFrame : .corruptFrame, path: path, byte: 0,
                expected: "an LZ4 frame (04 22 4D 18)",
                found: head.isEmpty ? "an empty file" : Hexadecimal.text(head.prefix(4)))
        }
        guard isText else { return }
        for format in foreign where head.starts(with: format.magic) {
            throw InputError(
                .unsupportedCompression, path: path, byte: 0,
                expected: "text, or text compressed as LZ4 frames",
                found: "a \(format.name) file: decompress it, and pipe it in or compress it by lz4")
        }
    }
}
