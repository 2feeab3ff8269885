import MillraceSystem
import MillraceTestSupport
import Synchronization
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
        let found = Mutex<[[String: UInt32]]>([])
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

    /// A writer that died half-way: each length of the last record that it could have left.
    @Test func aTornRecordIsIgnoredAndOverwritten() throws {
        let dictionary = TopicDictionary(path: path)
        for text in ["one", "two", "three"] { _ = try dictionary.id(of: text) }
        let whole = try Damage.content(path)
        let two = whole.count - 8 - "three".utf8.count
        for size in two..<whole.count {
            try Damage.overwrite(path, with: Array(whole[..<size]))
            let fresh = TopicDictionary(path: path)
            #expect(try fresh.text(2) == "two")
            #expect(try fresh.text(3) == nil)
            #expect(try fresh.existingID(of: "three") == nil)
            #expect(try fresh.id(of: "four") == 3)
            #expect(try TopicDictionary(path: path).text(3) == "four")
        }
        // A machine that went down can leave zeros where the text should be.
        for zeros in 1...5 {
            let torn = whole.dropLast(zeros) + [UInt8](repeating: 0, count: zeros)
            try Damage.overwrite(path, with: Array(torn))
            #expect(try TopicDictionary(path: path).id(of: "four") == 3)
        }
    }

    /// Damage to an acknowledged record is not mistaken for a torn one: nothing is overwritten.
    @Test func damageIsRefused() throws {
        let dictionary = TopicDictionary(path: path)
        for text in ["one", "two", "three"] { _ = try dictionary.id(of: text) }
        let whole = try Damage.content(path)
        let last = whole.count - 8 - "three".utf8.count
        for bit in 0..<last * 8 {
            try Damage.flip(path, bit: bit)
            let damaged = try Damage.content(path)
            let fresh = TopicDictionary(path: path)
            let code = logErrorCode { () throws(LogError) in _ = try fresh.id(of: "four") }
            #expect(code == .corrupt, "bit \(bit)")
            #expect(try Damage.content(path) == damaged)
            try Damage.flip(path, bit: bit)
        }
        #expect(try TopicDictionary(path: path).text(3) == "three")
    }
}
