import MillraceSystem
import Testing

@testable import MillraceLog

/// The control page, byte by byte, against the table in the documentation of the format.
@Suite struct ControlPageTests {
    /// The check of a checked word, bit by bit: CRC-8 of 56 bits, polynomial 0x2F, all ones first.
    private static func sealed(_ value: UInt64) -> UInt64 {
        var crc: UInt64 = 0xFF
        for bit in (0..<56).reversed() {
            let top = crc >> 7 ^ value >> UInt64(bit) & 1
            crc = crc << 1 & 0xFF ^ (top == 1 ? 0x2F : 0)
        }
        return crc << 56 | value
    }

    /// Every changed bit of a checked word, and every two and three of some, is found.
    @Test func checkedWords() {
        for value in [0, 1, 0xFF, 1 << 40 | 77, (1 << 56) - 1, 0x12_3456_789A_BCDE] as [UInt64] {
            let word = CheckedWord.seal(value)
            #expect(word == Self.sealed(value))
            #expect(CheckedWord.open(word) == value)
            var unseen = 0
            for first in 0..<64 {
                for second in first..<64 {
                    for third in second..<64 {
                        let flips: UInt64 = [first, second, third].reduce(0) { $0 | 1 << $1 }
                        if CheckedWord.open(word ^ flips) != nil { unseen += 1 }
                    }
                }
            }
            #expect(unseen == 0)
        }
        #expect(CheckedWord.open(0) == nil)
    }

    @Test func controlPage() throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        try Rows.append(5, to: &writer)
        let bytes = try Damage.content(fixture.controlPath)
        #expect(bytes.count == 4096)
        #expect(Array(bytes[0..<8]) == Array("MLRCTRL1".utf8))
        #expect(FormatBytes.u32(bytes, 8) == 2)
        #expect(FormatBytes.u32(bytes, 12) == FormatBytes.checksum(bytes, 16..<32))
        #expect(FormatBytes.u64(bytes, 16) == fixture.topic.id)
        #expect(FormatBytes.u32(bytes, 24) == 0)
        let size = try UInt64(fixture.usedBytes() - 128)
        let boot = try BootID.current(for: fixture.partitionPath)
        #expect(FormatBytes.u64(bytes, 64) == Self.sealed(1 << 40 | size / 64))
        #expect(FormatBytes.u64(bytes, 128) == Self.sealed(5))
        #expect(FormatBytes.u64(bytes, 192) == Self.sealed(PartitionWriter.offsetReserve))
        #expect(FormatBytes.u64(bytes, 256) == 1)
        #expect(FormatBytes.u64(bytes, 384) == 0)
        #expect(FormatBytes.u64(bytes, 448) == Self.sealed(boot))
        #expect(FormatBytes.u64(bytes, 512) == Self.sealed(0))
        // Taken once and given back.
        #expect(FormatBytes.u64(bytes, 576) == 1 << 24)
        #expect(FormatBytes.u64(bytes, 640) == Self.sealed(0))
        #expect(FormatBytes.u64(bytes, 768) == Self.sealed(0))
        #expect(FormatBytes.u64(bytes, 832) == Self.sealed(0))
        #expect(FormatBytes.u64(bytes, 896) == Self.sealed(1 << 40 | 1 << 10))
        try writer.close()
        let closed = try Damage.content(fixture.controlPath)
        #expect(FormatBytes.u64(closed, 512) == FormatBytes.u64(closed, 64))
        #expect(FormatBytes.u64(closed, 640) == Self.sealed(size / 64))
        #expect(FormatBytes.u64(closed, 704) == 1 << 24)
    }
}

/// Little-endian numbers in bytes.
enum FormatBytes {
    static func u16(_ bytes: [UInt8], _ at: Int) -> UInt64 { word(bytes, at, 2) }
    static func u32(_ bytes: [UInt8], _ at: Int) -> UInt64 { word(bytes, at, 4) }
    static func u64(_ bytes: [UInt8], _ at: Int) -> UInt64 { word(bytes, at, 8) }

    private static func word(_ bytes: [UInt8], _ at: Int, _ count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
    }

    static func checksum(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
        UInt64(CRC32C.checksum(unsafe Array(bytes[range]).span.bytes))
    }
}
