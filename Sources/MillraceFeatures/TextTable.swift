internal import MillraceInput

/// Texts one after the other in one block of memory, to which a value is compared without making a
/// string of it.
struct TextTable: Sendable {
    private(set) var bytes: [UInt8] = []
    private(set) var ends: [Int] = []
    /// The number that a text says; NaN where it says none.
    private var numbers: [Double] = []

    init(_ texts: [String] = []) { _ = append(texts) }

    /// Adds texts and returns where they stand.
    mutating func append(_ texts: [String]) -> Range<Int> {
        let first = ends.count
        for text in texts {
            let utf8 = Array(text.utf8)
            bytes.append(contentsOf: utf8)
            ends.append(bytes.count)
            numbers.append(NumberParser.double(utf8.span) ?? .nan)
        }
        return first..<ends.count
    }

    var count: Int { ends.count }

    /// Whether the bytes of `text` are those of the text at `index`.
    func matches(_ text: Span<UInt8>, at index: Int) -> Bool {
        let begin = index == 0 ? 0 : ends[index - 1]
        guard ends[index] - begin == text.count else { return false }
        for offset in text.indices where bytes[begin + offset] != text[offset] { return false }
        return true
    }

    /// Whether `text` is the text at `index`, which is in lower case, but for the case of letters.
    func matches(ignoringCase text: Span<UInt8>, at index: Int) -> Bool {
        let begin = index == 0 ? 0 : ends[index - 1]
        guard ends[index] - begin == text.count else { return false }
        for offset in text.indices {
            let byte = text[offset]
            let isUpper = byte &- UInt8(ascii: "A") < 26
            guard bytes[begin + offset] == (isUpper ? byte | 0x20 : byte) else { return false }
        }
        return true
    }

    /// The position within `range` of the first text that `text` equals: byte for byte, or, where
    /// there is none, as a number.
    func firstEqual(to text: Span<UInt8>, in range: Range<Int>) -> Int? {
        for index in range where matches(text, at: index) { return index - range.lowerBound }
        guard let number = NumberParser.double(text) else { return nil }
        for index in range where numbers[index] == number { return index - range.lowerBound }
        return nil
    }
}
