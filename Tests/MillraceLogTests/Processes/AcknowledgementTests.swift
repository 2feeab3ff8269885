import MillraceSystem
import MillraceTestSupport
import Testing

/// The notes that killed processes leave behind.
@Suite struct AcknowledgementTests {
    private static func note(_ number: UInt64) -> Promise {
        Promise(
            first: number, baseOffset: number * 3, rows: UInt32(number + 1),
            kind: number % 2 == 0 ? .appended : .durable, checksum: UInt32(number * 77))
    }

    @Test func whatWasNotedIsReadAgain() throws {
        let directory = try TemporaryDirectory("millrace-notes")
        let path = directory.file("notes")
        let file = try PromiseFile(path)
        #expect(try PromiseFile.count(directory.file("none")) == 0)
        #expect(try PromiseFile.read(path) == [])
        for number in 0..<5 { try file.note(Self.note(UInt64(number))) }
        #expect(try PromiseFile.read(path) == (0..<5).map(Self.note))
        #expect(try PromiseFile.count(path) == 5)
        #expect(try PromiseFile.read(path, from: 3) == (3..<5).map(Self.note))
        #expect(try PromiseFile.read(path, from: 5) == [])
    }

    @Test func whatWasCutOffIsNoNote() throws {
        let directory = try TemporaryDirectory("millrace-notes")
        let path = directory.file("notes")
        let file = try PromiseFile(path)
        for number in 0..<2 { try file.note(Self.note(UInt64(number))) }
        let size = try Files.size(path)
        for cut in 1..<size / 2 {
            try FileHandle(path, .readWrite).truncate(to: size - cut)
            #expect(try PromiseFile.read(path) == [Self.note(0)])
        }
    }

    @Test func damageIsSeen() throws {
        let directory = try TemporaryDirectory("millrace-notes")
        let path = directory.file("notes")
        try PromiseFile(path).note(Self.note(4))
        for bit in 0..<(try Files.size(path)) * 8 {
            try Damage.flip(path, bit: bit)
            #expect(try PromiseFile.read(path) == nil)
            try Damage.flip(path, bit: bit)
        }
        #expect(try PromiseFile.read(path) == [Self.note(4)])
    }
}
