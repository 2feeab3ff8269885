internal import MillraceInput
internal import MillraceLog

/// Lines of a file that become one batch of a topic of bytes.
struct SourceChunk {
    /// Place in the file, from 0: with the number of partitions it tells where the chunk goes.
    private(set) var number = 0
    /// Lines seen, those that are in the topic already included.
    private(set) var lines = 0
    /// Bytes of text, newlines included, of the lines seen.
    private(set) var textBytes = 0
    /// Lines that begin before this byte are in the topic already.
    private(set) var firstByte = 0
    /// The first line that is not.
    private(set) var first: InputLine?
    /// The last line.
    private(set) var last: InputLine?
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private var skips: [(delta: UInt32, reason: UInt32)] = []

    var rows: Int { ends.count }

    /// The producer's sequence of the chunk as far as it has been seen: a file that grows adds to
    /// its last chunk.
    var sequence: UInt64 { UInt64(number) << 24 | UInt64(lines) }

    /// The chunk that a sequence is about.
    static func number(ofSequence sequence: UInt64) -> Int { Int(sequence >> 24) }

    /// Begins chunk `number`, of which everything before `firstByte` is in the topic.
    mutating func start(_ number: Int, firstByte: Int) {
        self.number = number
        self.firstByte = firstByte
        lines = 0
        textBytes = 0
        first = nil
        last = nil
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        skips.removeAll(keepingCapacity: true)
    }

    /// Counts a line; true when it is not in the topic yet and has to be added.
    mutating func see(_ line: InputLine) -> Bool {
        lines += 1
        textBytes += line.byteCount
        last = line
        guard line.begin >= firstByte else { return false }
        if first == nil { first = line }
        return true
    }

    mutating func append(_ text: Span<UInt8>) {
        bytes.append(addingCapacity: text.count) { added in
            for index in text.indices { added.append(text[index]) }
        }
        ends.append(bytes.count)
    }

    mutating func skip(_ line: InputLine, reason: UInt32) {
        let base = first?.number ?? line.number
        skips.append((UInt32(line.number - base), reason))
    }

    /// Fills a builder with the chunk's rows and skipped lines.
    func fill(_ builder: inout BatchBuilder) {
        var start = 0
        for end in ends {
            builder.append(value: bytes[start..<end])
            start = end
        }
        for skip in skips { builder.drop(sourceDelta: skip.delta, reason: skip.reason) }
    }
}
