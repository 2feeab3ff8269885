internal import MillraceSystem

/// Reads a text file line by line, or a binary file record by record, in bounded memory: plain, or
/// compressed as LZ4 frames.
///
/// Compression is recognised by the file's first bytes. A line ends with `\n`, `\r\n` or the end of
/// the input; a UTF-8 byte order mark is dropped. Lines' byte ranges follow each other without gaps
/// from 0 to the end of the *decoded* text (the mark is part of the first line's range), so that
/// together with `runningChecksum()` they say exactly how far a file was read.
///
/// **Memory**: at most twice a read block and `maxLineBytes` together.
/// **Thread-safety**: one owner.
public struct LineReader: ~Copyable, Sendable {
    /// The path that was opened; `-` is standard input.
    public let path: String
    /// The longest line, without its newline, whose text is kept.
    public let maxLineBytes: Int

    private var source: ByteSource
    private var isAtEnd = false
    private var buffer: [UInt8]
    /// How many bytes of `buffer` hold text.
    private var filled = 0
    /// Where the unread text begins in `buffer`.
    private var cursor = 0
    /// The current line's text in `buffer`.
    private var current = 0..<0
    /// The position of `buffer`'s first byte in the decoded text.
    private var base = 0
    private var lines = 0
    /// The checksum of all text before `buffer[checksummed]`.
    private var checksum: UInt32 = 0
    private var checksummed = 0

    /// How many bytes are asked for at a time, at least.
    private let blockBytes: Int
    /// The size of a record, of which a file of such consists; nil for lines.
    private let recordBytes: Int?
    /// The newline found last; one before `cursor` is none.
    private var newline = -1
    /// Before this byte of `buffer` no newline is left to be found but `newline`.
    private var searched = 0

    /// Opens `path`, or standard input where it is `-`.
    ///
    /// - Throws: `InputError` with the codes `notFound`, `unreadable`, `truncatedFrame` (a file
    ///   called `.lz4` that is too short for a frame), `corruptFrame` (one that holds something
    ///   else) or `unsupportedCompression`.
    public init(path: String, maxLineBytes: Int = 1 << 20) throws(InputError) {
        try self.init(path: path, maxLineBytes: maxLineBytes, blockBytes: 256 << 10)
    }

    /// The same, with blocks of a size that tests choose.
    package init(path: String, maxLineBytes: Int, blockBytes: Int) throws(InputError) {
        precondition(maxLineBytes > 0, "a line may have at least one byte")
        precondition(blockBytes >= ByteSource.headBytes, "a block holds at least a file's head")
        self.path = path
        self.maxLineBytes = maxLineBytes
        self.blockBytes = blockBytes
        self.recordBytes = nil
        var source = try ByteSource(path: path)
        try source.recognise()
        self.source = source
        self.buffer = [UInt8](repeating: 0, count: 2 * blockBytes)
    }

    /// The same for a stream that may not have a byte yet: what it holds is recognised by the first
    /// `isReady` or `next()`, which throw what is thrown otherwise when a file is opened.
    package init(stream path: String, maxLineBytes: Int) throws(InputError) {
        self.path = path
        self.maxLineBytes = maxLineBytes
        self.blockBytes = 256 << 10
        self.recordBytes = nil
        self.source = try ByteSource(path: path)
        self.buffer = [UInt8](repeating: 0, count: 2 * blockBytes)
    }

    /// Opens a stream of records of `recordBytes` bytes each, which are numbered as lines are.
    ///
    /// Any bytes may be a record: only LZ4 frames are known by how they begin.
    package init(stream path: String, recordBytes: Int) throws(InputError) {
        precondition(recordBytes > 0, "a record has at least one byte")
        self.path = path
        self.maxLineBytes = recordBytes
        self.blockBytes = 256 << 10
        self.recordBytes = recordBytes
        self.source = try ByteSource(path: path, isText: false)
        self.buffer = [UInt8](repeating: 0, count: 2 * blockBytes)
    }

    /// The text of the line that `next()` returned last, without its newline; empty where the line
    /// was too long.
    ///
    /// Valid until the next call.
    public var text: Span<UInt8> {
        @_lifetime(borrow self)
        get { buffer.span.extracting(current) }
    }

    /// Moves to the next line or record; nil at the end of the input.
    ///
    /// The end is final: what is appended to the file afterwards is not seen.
    ///
    /// - Throws: `InputError` with the codes `unreadable`, `truncatedFrame`, `corruptFrame` or
    ///   `truncatedRecord`; from then on every call throws the same.
    /// - Complexity: O(line).
    public mutating func next() throws(InputError) -> InputLine? {
        current = 0..<0
        let begin = base + cursor
        if let recordBytes { return try nextRecord(recordBytes, from: begin) }
        if begin == 0 { try skipByteOrderMark() }
        while true {
            if let newline = findNewline() {
                return finishLine(from: begin, textEnd: newline, next: newline + 1)
            }
            // One more than the limit may still turn out to be a carriage return.
            if filled - cursor > maxLineBytes + 1 { return try skipLongLine(from: begin) }
            if try !fill() {
                guard filled > cursor else { return nil }
                return finishLine(from: begin, textEnd: filled, next: filled)
            }
        }
    }

    /// Whether `next()` will not have to wait for who writes the input, after at most so many
    /// milliseconds; what has been written is taken in meanwhile.
    ///
    /// A file never makes anybody wait. The text of the line before is gone afterwards.
    ///
    /// - Throws: as `next()`.
    package mutating func isReady(
        withinMilliseconds milliseconds: Int
    ) throws(InputError) -> Bool {
        var patience = milliseconds
        while !hasNext {
            guard source.isReady(withinMilliseconds: patience) else { return false }
            current = 0..<0
            _ = try fill()
            // What comes without end and without a newline is not waited for again.
            patience = 0
        }
        return true
    }

    /// How many of the file's bytes, as they are stored, have been taken in, and how many it had when
    /// it was opened; nil for a pipe or a terminal.
    ///
    /// - Complexity: one system call.
    package var fileProgress: (read: Int, total: Int)? { source.progress }

    /// Whether the next line or record is in the buffer, or known to be the last or too long.
    private var hasNext: Bool {
        mutating get {
            if isAtEnd { return true }
            if let recordBytes { return filled - cursor >= recordBytes }
            return findNewline() != nil || filled - cursor > maxLineBytes + 1
        }
    }

    /// The next newline in the buffer; nothing is searched twice.
    @inline(__always)
    private mutating func findNewline() -> Int? {
        if newline >= cursor { return newline }
        let unsearched = max(cursor, searched)..<filled
        guard let found = ByteSearch.firstIndex(of: 0x0A, in: buffer.span, unsearched) else {
            searched = filled
            return nil
        }
        newline = found
        return found
    }

    private mutating func nextRecord(
        _ count: Int, from begin: Int
    ) throws(InputError) -> InputLine? {
        while filled - cursor < count {
            guard try !fill() else { continue }
            guard filled > cursor else { return nil }
            throw InputError(
                .truncatedRecord, path: path, byte: begin,
                expected: "records of \(count) bytes",
                found: "\(filled - cursor) bytes at the end")
        }
        current = cursor..<cursor + count
        return makeLine(from: begin, next: cursor + count, isTooLong: false)
    }

    /// The CRC-32C of the decoded text from its first byte to the end of the current line.
    ///
    /// - Complexity: O(text since the last call).
    public mutating func runningChecksum() -> UInt32 {
        extendChecksum()
        return checksum
    }

    private mutating func finishLine(from begin: Int, textEnd: Int, next: Int) -> InputLine {
        let hasReturn = textEnd > cursor && buffer[textEnd - 1] == 0x0D
        let text = cursor..<(hasReturn ? textEnd - 1 : textEnd)
        let isTooLong = text.count > maxLineBytes
        if !isTooLong { current = text }
        return makeLine(from: begin, next: next, isTooLong: isTooLong)
    }

    /// Drops text up to and including the next newline without keeping it.
    private mutating func skipLongLine(from begin: Int) throws(InputError) -> InputLine {
        while true {
            cursor = filled
            guard try fill() else {
                return makeLine(from: begin, next: filled, isTooLong: true)
            }
            if let newline = ByteSearch.firstIndex(of: 0x0A, in: buffer.span, 0..<filled) {
                return makeLine(from: begin, next: newline + 1, isTooLong: true)
            }
        }
    }

    private mutating func makeLine(from begin: Int, next: Int, isTooLong: Bool) -> InputLine {
        cursor = next
        lines += 1
        return InputLine(number: lines, begin: begin, end: base + next, isTooLong: isTooLong)
    }

    private mutating func skipByteOrderMark() throws(InputError) {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        // What cannot be a mark any more need not be waited for.
        while filled < 3, mark.starts(with: buffer[..<filled]) {
            guard try fill() else { return }
        }
        if buffer[..<filled].starts(with: mark) { cursor = 3 }
    }

    /// Drops what has been read from the buffer and reads more; false at the end of the input.
    private mutating func fill() throws(InputError) -> Bool {
        if isAtEnd { return false }
        if cursor > 0 {
            extendChecksum()
            buffer.replaceSubrange(0..<(filled - cursor), with: buffer[cursor..<filled])
            base += cursor
            filled -= cursor
            searched = max(searched - cursor, 0)
            newline = -1
            cursor = 0
            checksummed = 0
        }
        if buffer.count - filled < blockBytes {
            buffer.append(contentsOf: repeatElement(0, count: buffer.count))
        }
        let count = try source.read(into: &buffer, from: filled)
        filled += count
        isAtEnd = count == 0
        return count > 0
    }

    private mutating func extendChecksum() {
        let seed = checksum
        let unseen = checksummed..<cursor
        checksum = CRC32C.checksum(of: buffer.span.extracting(unseen), seed: seed)
        checksummed = cursor
    }
}
