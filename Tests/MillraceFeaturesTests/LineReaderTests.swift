import Glibc
import MillraceInput
import MillraceSystem
import MillraceTestSupport
import Testing

@Suite("Lines of a file")
struct LineReaderTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory("millrace-lines") }

    private func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        let path = directory.file(name)
        try Files.writeDurably(path, bytes)
        return path
    }

    private func randomText(_ random: inout SplitMix64) -> [UInt8] {
        var text: [UInt8] = random.next() % 4 == 0 ? [0xEF, 0xBB, 0xBF] : []
        for _ in 0..<random.number(in: 0...60) {
            let length =
                random.next() % 8 == 0 ? random.number(in: 0...200) : Int(random.next() % 9)
            for _ in 0..<length { text.append(random.pick([0x61, 0x62, 0x2C, 0x0D, 0x22, 0xC3])) }
            text += random.pick([[0x0A], [0x0A], [0x0D, 0x0A]])
        }
        if random.next() % 2 == 0 { text += random.pick([[0x7A], [0x0D], [0x7A, 0x0D]]) }
        return text
    }

    @Test(arguments: Seeds.all)
    func agreeWithANaiveSplitWhateverTheBlocks(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for round in 0..<40 {
            let text = randomText(&random)
            let limit = random.number(in: 1...150)
            let expected = naiveLines(text, maxLineBytes: limit)
            let plain = try file("plain-\(round)", text)
            let cut = random.number(in: 0...text.count)
            let framed = try file(
                "framed-\(round).lz4", frame(Array(text[..<cut])) + frame(Array(text[cut...])))
            for block in [6, 7, random.number(in: 8...300), 64 << 10] {
                #expect(try readLines(plain, maxLineBytes: limit, blockBytes: block) == expected)
                #expect(try readLines(framed, maxLineBytes: limit, blockBytes: block) == expected)
                for path in [plain, framed] {
                    let asked = try readLines(
                        path, maxLineBytes: limit, blockBytes: block, asks: true)
                    #expect(asked == expected)
                }
            }
        }
    }

    /// Any bytes are records, also those by which other formats are known.
    @Test func recordsOfAFixedSize() throws {
        let bytes: [UInt8] = [0x1F, 0x8B, 0x0A, 0x0D] + (0..<60_000).map { UInt8($0 % 251) }
        for path in [try file("r.f32", bytes), try file("r.f32.lz4", frame(bytes))] {
            var reader = try LineReader(stream: path, recordBytes: 12)
            var seen: [UInt8] = []
            var count = 0
            while try reader.isReady(withinMilliseconds: 0), let line = try reader.next() {
                seen += MillraceFeaturesTests.bytes(reader.text)
                #expect(line.begin == 12 * count && line.byteCount == 12)
                count += 1
                if seen.count + 4 == bytes.count { break }
            }
            #expect(seen == Array(bytes.dropLast(4)))
            let checksum = CRC32C.checksum(of: seen.span)
            #expect(reader.runningChecksum() == checksum)
            for _ in 0..<2 {
                let error = #expect(throws: InputError.self) { try reader.next() }
                #expect(error?.code == .truncatedRecord)
                #expect(error?.byte == seen.count)
            }
        }
    }

    /// Who waits for a slow writer is told so, and gets a line when it is whole.
    @Test func aPipeIsWaitedForUntilALineIsThere() throws {
        let path = directory.file("pipe")
        try #require(unsafe mkfifo(path, 0o600) == 0)
        let pipe = unsafe open(path, O_RDWR | O_CLOEXEC)
        defer { close(pipe) }
        func send(_ text: String) {
            let bytes = Array(text.utf8)
            #expect(unsafe write(pipe, bytes, bytes.count) == bytes.count)
        }
        var reader = try LineReader(stream: path, maxLineBytes: 100)
        #expect(try !reader.isReady(withinMilliseconds: 1))
        send("P\n")
        #expect(try reader.isReady(withinMilliseconds: 1000))
        _ = try reader.next()
        send("first line\nsec")
        #expect(try reader.isReady(withinMilliseconds: 1000))
        _ = try reader.next()
        #expect(MillraceFeaturesTests.bytes(reader.text) == Array("first line".utf8))
        #expect(try !reader.isReady(withinMilliseconds: 1))
        send("ond")
        #expect(try !reader.isReady(withinMilliseconds: 1000))
        #expect(try !reader.isReady(withinMilliseconds: 1))
        send("\nthird\n")
        #expect(try reader.isReady(withinMilliseconds: 1000))
        _ = try reader.next()
        #expect(MillraceFeaturesTests.bytes(reader.text) == Array("second".utf8))
        #expect(try reader.isReady(withinMilliseconds: 0))
    }

    /// A named pipe that nobody has opened for writing yet has not ended.
    @Test func aPipeIsWaitedForBeforeAnybodyWrites() throws {
        let path = directory.file("early")
        try #require(unsafe mkfifo(path, 0o600) == 0)
        var reader = try LineReader(stream: path, maxLineBytes: 100)
        #expect(try !reader.isReady(withinMilliseconds: 1))
        let pipe = unsafe open(path, O_WRONLY | O_CLOEXEC)
        #expect(try !reader.isReady(withinMilliseconds: 1))
        let text = Array("one".utf8)
        #expect(unsafe write(pipe, text, text.count) == text.count)
        close(pipe)
        #expect(try reader.isReady(withinMilliseconds: 1000))
        _ = try reader.next()
        #expect(MillraceFeaturesTests.bytes(reader.text) == Array("one".utf8))
        #expect(try reader.next() == nil)
        #expect(reader.fileProgress == nil)
    }

    /// How much of a file has been taken in, as it is stored.
    @Test func filesSayHowFarTheyAre() throws {
        let text = [UInt8](repeating: 10, count: 100_000)
        var reader = try LineReader(
            path: file("plain", text), maxLineBytes: 100, blockBytes: 1000)
        #expect(reader.fileProgress?.total == text.count)
        #expect((reader.fileProgress?.read ?? text.count) <= 1000)
        while try reader.next() != nil {}
        #expect(reader.fileProgress?.read == text.count)
    }

    @Test func emptyFilesAndLoneMarksHaveNoLines() throws {
        #expect(try readLines(file("empty", [])).isEmpty)
        #expect(try readLines(file("mark", [0xEF, 0xBB, 0xBF])).isEmpty)
        #expect(try readLines(file("frame.lz4", frame([]))).isEmpty)
        #expect(try readLines(file("newline", [0x0A])).map(\.text) == [[]])
    }

    @Test func aLineBeyondTheLimitIsCountedAndNotKept() throws {
        let long = [UInt8](repeating: 0x78, count: 5_000_000)
        let path = try file("long.lz4", frame(Array("a\n".utf8) + long + Array("\nb\n".utf8)))
        let lines = try readLines(path, maxLineBytes: 1000)
        #expect(lines.map(\.isTooLong) == [false, true, false])
        #expect(lines.map(\.end) == [2, 5_000_003, 5_000_005])
        #expect(lines[1].text.isEmpty)
        #expect(lines[2].text == [0x62])
    }

    @Test func aFrameCutAnywhereIsAnError() throws {
        let whole = frame(Array("month,day\n1,2\n3,4\n1,2\n1,2\n1,2\n".utf8))
        for count in 0..<whole.count {
            let path = try file("cut.lz4", Array(whole[..<count]))
            let error = #expect(throws: InputError.self) { try readLines(path) }
            #expect(error?.code == .truncatedFrame, "cut after \(count) bytes")
            #expect(error?.path == path)
            #expect((error?.byte ?? -1) <= count)
        }
        #expect(try readLines(file("whole.lz4", whole)).count == 6)
    }

    @Test func aFollowingFrameCutAnywhereIsAnError() throws {
        let first = frame(Array("1\n".utf8))
        let whole = first + frame(Array("2\n".utf8))
        for count in (first.count + 1)..<whole.count {
            let path = try file("cut.lz4", Array(whole[..<count]))
            let error = #expect(throws: InputError.self) { try readLines(path) }
            #expect(error?.code == .truncatedFrame, "cut after \(count) bytes")
        }
    }

    @Test(arguments: Seeds.all)
    func damageNeverPassesUnseen(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let text = (0..<4000).map { _ in UInt8(random.number(in: 0x60...0x67)) }
        let whole = frame(text)
        let expected = naiveLines(text)
        for _ in 0..<60 {
            var damaged = whole
            let position = random.number(in: 0...whole.count - 1)
            damaged[position] ^= 1 << UInt8(random.number(in: 0...7))
            let path = try file("damaged.lz4", damaged)
            do {
                #expect(try readLines(path) == expected, "byte \(position)")
            } catch {
                #expect(
                    [.corruptFrame, .truncatedFrame, .unsupportedCompression].contains(error.code))
            }
        }
    }

    @Test func anErrorStaysAnError() throws {
        let whole = frame([UInt8](repeating: 0x0A, count: 100))
        let path = try file("cut.lz4", Array(whole.dropLast()))
        var reader = try LineReader(path: path)
        var failures = 0
        for _ in 0..<200 {
            do { _ = try reader.next() } catch { failures += 1 }
        }
        #expect(failures == 100)
    }

    @Test func otherCompressionsAreNamed() throws {
        for (name, magic) in [
            ("gzip", [0x1F, 0x8B, 8, 0]), ("Zstandard", [0x28, 0xB5, 0x2F, 0xFD]),
            ("legacy LZ4", [0x02, 0x21, 0x4C, 0x18]),
        ] as [(String, [UInt8])] {
            let path = try file("foreign", magic)
            let error = #expect(throws: InputError.self) { try readLines(path) }
            #expect(error?.code == .unsupportedCompression)
            #expect(error?.description.contains(name) == true)
        }
        let text = try file("text.lz4", Array("month,day\n".utf8))
        #expect(throws: InputError.self) { try readLines(text) }
    }

    @Test func missingFilesAndDirectoriesAreNamed() throws {
        let missing = #expect(throws: InputError.self) { try readLines("/nonexistent/x.csv") }
        #expect(missing?.code == .notFound)
        #expect(missing?.description.contains("/nonexistent/x.csv") == true)
        let folder = #expect(throws: InputError.self) { try readLines(directory.path) }
        #expect(folder?.code == .unreadable)
    }

    @Test func skippableFramesAreSkipped() throws {
        let skippable: [UInt8] = [0x53, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3]
        let path = try file("skip", skippable + frame(Array("a\nb".utf8)) + skippable)
        #expect(try readLines(path).map(\.text) == [[0x61], [0x62]])
    }

    @Test func theEndIsFinal() throws {
        let path = try file("growing", Array("a\nb".utf8))
        var reader = try LineReader(path: path)
        while try reader.next() != nil {}
        let handle = try FileHandle(path, .readWrite)
        let more = Array("b\nc\n".utf8)
        try handle.write(unsafe more.span.bytes, at: 3)
        let next = try reader.next()
        #expect(next == nil)
        #expect(try readLines(path).map(\.text) == [[0x61], [0x62, 0x62], [0x63]])
    }

    @Test func pipesAreRead() throws {
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        let text = Array("a,b\n1,2\n".utf8)
        #expect(unsafe write(ends[1], text, text.count) == text.count)
        close(ends[1])
        #expect(try readLines("/proc/self/fd/\(ends[0])") == naiveLines(text))
        close(ends[0])
    }

    @Test func theFlightsAreAllThere() throws {
        let lines = try readLines(SharedData.flights)
        #expect(lines.count == 336_777)
        #expect(lines.last?.end == 12138430)
    }
}
