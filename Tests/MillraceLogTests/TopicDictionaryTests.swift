import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Texts keep their numbers, whoever asks first and whatever a dying writer leaves behind.
@Suite struct TopicDictionaryTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.file("dictionary") }

    init() throws {
        directory = try TemporaryDirectory("millrace-dictionary")
        try Files.writeDurably(directory.file("dictionary"), [])
    }

    @Test func idsCountFromOneAndStay() throws {
        let dictionary = TopicDictionary(path: path)
        #expect(try dictionary.text(1) == nil)
        #expect(try dictionary.existingID(of: "a") == nil)
        #expect(try dictionary.id(of: "a") == 1)
        #expect(try dictionary.id(of: "grün/2") == 2)
        #expect(try dictionary.id(of: "a") == 1)
        let other = TopicDictionary(path: path)
        #expect(try other.text(2) == "grün/2")
        #expect(try other.text(0) == nil)
        #expect(try other.text(3) == nil)
        #expect(try other.id(of: "c") == 3)
        // Seen by the first, although the second gave it.
        #expect(try dictionary.text(3) == "c")
        #expect(try dictionary.existingID(of: "c") == 3)
    }

    @Test func refusesTextsThatItCannotKeep() throws {
        let dictionary = TopicDictionary(path: path)
        func code(_ text: String) -> LogError.Code? {
            logErrorCode { () throws(LogError) in _ = try dictionary.id(of: text) }
        }
        #expect(code("") == .invalidArgument)
        #expect(code("a\0b") == .invalidArgument)
        #expect(code(String(repeating: "x", count: (1 << 24) + 1)) == .tooLarge)
        #expect(try dictionary.id(of: String(repeating: "x", count: 1 << 24)) == 1)
    }

    @Test func threadsAgree() throws {
        let found = Lock<[[String: UInt32]]>([])
        let path = path
        let threads = try (0..<4).map { index in
            try PinnedThread(name: "dictionary", core: nil) {
                // Two objects for one file, as two processes would have.
                let dictionary = TopicDictionary(path: path)
                var ids: [String: UInt32] = [:]
                do throws(LogError) {
                    for turn in 0..<12 {
                        let text = "text \((turn + index * 3) % 12)"
                        ids[text] = try dictionary.id(of: text)
                    }
                } catch {
                    Issue.record(error)
                }
                found.withLock { $0.append(ids) }
            }
        }
        for thread in threads { thread.join() }
        let all = found.withLock { $0 }
        #expect(all.count == 4)
        #expect(all.allSatisfy { $0 == all[0] })
        #expect(all[0].values.sorted() == Array(1...12))
    }

    /// Three texts; the whole file, and where its last record begins.
    private func filled(_ text: String) throws -> (whole: [UInt8], last: Int) {
        let dictionary = TopicDictionary(path: path)
        for text in ["one", "two"] { _ = try dictionary.id(of: text) }
        let last = try Files.size(path)
        _ = try dictionary.id(of: text)
        return (try Damage.content(path), last)
    }

    /// Long enough for a few sectors.
    private static let long = String(repeating: "three ", count: 200)

    /// Whether the last record counts as never acknowledged, and its place is given anew.
    private func isTorn() throws -> Bool {
        let fresh = TopicDictionary(path: path)
        guard try fresh.text(2) == "two", try fresh.text(3) == nil,
            try fresh.existingID(of: "three") == nil, try fresh.id(of: "four") == 3
        else { return false }
        return try TopicDictionary(path: path).text(3) == "four"
    }

    /// A writer that died half-way: each length of the last record that it could have left.
    @Test func aTornRecordIsIgnoredAndOverwritten() throws {
        let (whole, last) = try filled("three " + String(repeating: "x", count: 90))
        for size in last..<whole.count {
            try Damage.overwrite(path, with: Array(whole[..<size]))
            #expect(try isTorn(), "\(size) bytes")
        }
    }

    /// A machine that went down leaves zeros in any of the sectors that were not synced, and
    /// perhaps a shorter file.
    @Test func everySubsetOfTheLastRecordsSectors() throws {
        let (whole, last) = try filled(Self.long)
        let sectors = Array(last / 512...(whole.count - 1) / 512)
        #expect(sectors.count >= 3)
        for missing in 1..<1 << sectors.count {
            for size in [whole.count, whole.count - 1, last + 700] {
                var torn = Array(whole[..<size])
                for (bit, sector) in sectors.enumerated() where missing >> bit & 1 == 1 {
                    for byte in last..<size where byte / 512 == sector { torn[byte] = 0 }
                }
                try Damage.overwrite(path, with: torn)
                #expect(try isTorn(), "sectors \(missing), \(size) bytes")
            }
        }
    }

    /// Damage to any record, the last one included, is not mistaken for a torn one: nothing is
    /// overwritten.
    @Test func everyFlippedBitIsRefused() throws {
        let (whole, _) = try filled("three")
        for bit in 0..<whole.count * 8 {
            var damaged = whole
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            try Damage.overwrite(path, with: damaged)
            let fresh = TopicDictionary(path: path)
            let code = logErrorCode { () throws(LogError) in _ = try fresh.id(of: "four") }
            #expect(code == .corrupt, "bit \(bit)")
            #expect(try Damage.content(path) == damaged)
        }
        try Damage.overwrite(path, with: whole)
        #expect(try TopicDictionary(path: path).text(3) == "three")
    }

    /// Texts of every length that a record's rounding and the sectors treat differently, at every
    /// place in a sector: a bit of the last record is never lost in silence.
    @Test func flippedBitsAtEveryPlaceOfASector() throws {
        var content: [UInt8] = []
        for id in 1...40 {
            let text = [UInt8](repeating: 0x40, count: id == 20 ? 1_300 : 1 + id * 37 % 50)
            let record = DictionaryRecord.encoded(text, id: id)
            #expect(record.count % 16 == 0)
            for bit in 0..<record.count * 8 {
                var damaged = record
                damaged[bit / 8] ^= 1 << UInt8(bit % 8)
                let file = content + damaged
                let (isIntact, isTorn) = Self.state(at: content.count, in: file)
                #expect(!isIntact && !isTorn, "id \(id), bit \(bit)")
            }
            content += record
        }
    }

    private static func state(
        at start: Int, in file: [UInt8]
    ) -> (isIntact: Bool, isTorn: Bool) {
        let raw = unsafe file.span.bytes  // SAFETY: an array of bytes is initialised.
        let header = DictionaryRecord(header: start, in: raw)
        let isIntact = header?.isIntact(at: start, in: raw) ?? false
        return (isIntact, DictionaryRecord.isTorn(at: start, in: raw))
    }

    /// A record whose writer died before its sync is synced by who uses it next.
    @Test func anUnsyncedRecordIsSyncedBeforeItsIDIsUsed() throws {
        _ = try TopicDictionary(path: path).id(of: "one")
        let seen = try Damage.content(path)
        let recorder = CallRecorder()
        try recorder.run(on: path) {
            let other = TopicDictionary(path: path)
            for _ in 0..<2 { try #require(try other.id(of: "one") == 1) }
        }
        #expect(recorder.kinds.filter { $0 == .sync }.count == 1)
        #expect(try Damage.content(path) == seen)
    }
}
