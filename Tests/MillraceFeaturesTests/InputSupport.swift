import MillraceInput
import MillraceSystem

/// Seeds for property tests: some that are always the same and one that is new in each run. A failure
/// names the seed, since it is the test's argument.
enum Seeds {
    static let all: [UInt64] = Array(1...8) + [UInt64.random(in: 0...UInt64.max)]
}

extension SplitMix64 {
    mutating func number(in range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[number(in: 0...elements.count - 1)]
    }
}

/// A line as a test remembers it.
struct SeenLine: Equatable {
    var text: [UInt8]
    var begin: Int
    var end: Int
    var isTooLong = false
    var checksum: UInt32
}

func bytes(_ text: Span<UInt8>) -> [UInt8] { text.indices.map { text[$0] } }

func readLines(
    _ path: String, maxLineBytes: Int = 1 << 20, blockBytes: Int = 64 << 10, asks: Bool = false
) throws(InputError) -> [SeenLine] {
    var reader = try LineReader(path: path, maxLineBytes: maxLineBytes, blockBytes: blockBytes)
    var lines: [SeenLine] = []
    while true {
        // A file makes nobody wait, however little of it is asked for at a time.
        while asks, try !reader.isReady(withinMilliseconds: 0) {}
        guard let line = try reader.next() else { return lines }
        lines.append(
            SeenLine(
                text: bytes(reader.text), begin: line.begin, end: line.end,
                isTooLong: line.isTooLong, checksum: reader.runningChecksum()))
        precondition(line.number == lines.count)
    }
}

/// What the lines of `text` are, one byte after the other.
func naiveLines(_ text: [UInt8], maxLineBytes: Int = 1 << 20) -> [SeenLine] {
    var lines: [SeenLine] = []
    var begin = 0
    var at = text.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    while at < text.count {
        let newline = text[at...].firstIndex(of: 0x0A)
        var line = Array(text[at..<(newline ?? text.count)])
        let end = newline.map { $0 + 1 } ?? text.count
        if line.last == 0x0D { line.removeLast() }
        let isTooLong = line.count > maxLineBytes
        lines.append(
            SeenLine(
                text: isTooLong ? [] : line, begin: begin, end: end, isTooLong: isTooLong,
                checksum: CRC32C.checksum(of: Array(text[..<end]).span)))
        begin = end
        at = end
    }
    return lines
}
