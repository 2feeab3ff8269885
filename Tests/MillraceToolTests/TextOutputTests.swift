import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceTool

/// The text that rows are printed as.
@Suite struct TextOutputTests {
    /// What `body` appends, as it arrives in a file.
    private func written(_ body: (inout TextOutput) throws -> Void) throws -> [UInt8] {
        let directory = try TemporaryDirectory("millrace-output")
        let path = directory.file("text")
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        var output = TextOutput(file)
        try body(&output)
        let isRead = try output.flush()
        #expect(isRead)
        return try Files.read(path, maxBytes: 1 << 24)
    }

    @Test func wholeNumbers() throws {
        var numbers: [UInt64] = [0, 9, 10, 99, 100, .max, .max - 1]
        var power: UInt64 = 1
        for _ in 0..<19 {
            power *= 10
            numbers += [power - 1, power, power + 1]
        }
        let text = try written { output in
            for number in numbers {
                output.append(decimal: number)
                output.append(byte: 10)
            }
            for number in [Int64.min, -1, 0, .max] {
                output.append(decimal: number)
                output.append("\n")
            }
        }
        let expected = numbers.map { "\($0)\n" } + [Int64.min, -1, 0, .max].map { "\($0)\n" }
        #expect(String(decoding: text, as: UTF8.self) == expected.joined())
    }

    /// At every place of a word of eight bytes, every byte of ASCII.
    @Test func quotedText() throws {
        for byte in UInt8(0)..<0x80 {
            for place in [0, 1, 6, 7, 8, 9, 15, 16] {
                var bytes = [UInt8](repeating: 0x61, count: 17)
                bytes[place] = byte
                let text = try written { $0.append(quoted: bytes.span) }
                let document = try JSONValue(String(decoding: text, as: UTF8.self))
                #expect(document == .text(String(decoding: bytes, as: UTF8.self)), "\(byte)")
            }
        }
    }

    @Test func textThatIsNotASCII() throws {
        for bytes in [Array("é€😀\"\n".utf8), [0x61, 0xFF, 0x22, 0xC3], [0xED, 0xA0, 0x80]] {
            let text = try written { $0.append(quoted: bytes.span) }
            let document = try JSONValue(String(decoding: text, as: UTF8.self))
            #expect(document == .text(String(decoding: bytes, as: UTF8.self)))
        }
    }

    /// More than fits at first, and a value larger than all that.
    @Test func largeTexts() throws {
        let large = [UInt8](repeating: 0x78, count: 3 << 20)
        let text = try written { output in
            for _ in 0..<100_000 { output.append("0123456789") }
            let isFull = output.isFull
            #expect(isFull)
            output.append(large.span)
        }
        #expect(text.count == 1_000_000 + large.count)
        #expect(text[999_999] == UInt8(ascii: "9") && text.last == 0x78)
    }

    @Test func aFullDiskIsAnError() throws {
        let file = unsafe open("/dev/full", O_WRONLY | O_CLOEXEC)
        try #require(file >= 0)
        defer { close(file) }
        var output = TextOutput(file)
        output.append("x")
        var message = ""
        do { _ = try output.flush() } catch { message = "\(error)" }
        #expect(message.contains("cannot write to standard output"))
    }
}
