import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Processes that are stopped, or die, while they add a text to a dictionary keep nobody from adding
/// others, and when they wake each text still has one number.
@Suite struct DictionaryRaceTests {
    /// Adds a text in a thread of its own, which is stopped at one of its calls.
    private final class Adder: Sendable {
        private struct State {
            var thread: pthread_t?
            var id: UInt32?
            var isDone = false
        }

        let text: String
        private let path: String
        private let state = Lock(State())
        private let thread = Lock<PinnedThread?>(nil)
        private let point = Lock<StopPoint?>(nil)

        init(_ path: String, _ text: String) {
            self.path = path
            self.text = text
        }

        /// Returns when the thread is stopped, or done; whether it is stopped.
        func start(skipping skipped: Int) throws -> Bool {
            let point = StopPoint.atCall(skipping: skipped) { _ in
                self.state.withLock { $0.thread.map { $0 == pthread_self() } ?? false }
            }
            DiskObservation.install(point, on: Files.parent(of: path))
            let made = try PinnedThread(name: "adder", core: nil) {
                self.state.withLock { $0.thread = pthread_self() }
                do throws(LogError) {
                    let id = try TopicDictionary(path: self.path).id(of: self.text)
                    self.state.withLock { $0.id = id }
                } catch { Issue.record(error) }
                self.state.withLock { $0.isDone = true }
            }
            thread.withLock { $0 = made }
            self.point.withLock { $0 = point }
            return waitUntil { point.isReached || state.withLock { $0.isDone } } && point.isReached
        }

        /// Lets the thread go on; returns the number that it was given.
        func finish() -> UInt32? {
            let point = point.withLock { $0 }
            point?.release()
            thread.withLock { $0 }?.join()
            if let point { DiskObservation.remove(point) }
            return state.withLock { $0.id }
        }
    }

    private static func dictionary(_ place: TemporaryDirectory) throws -> String {
        let path = place.file("dictionary")
        try Files.writeDurably(path, [])
        _ = try TopicDictionary(path: path).id(of: "first")
        return path
    }

    /// Checks that every text has the number that its adder was told, and nothing is left behind.
    private static func check(
        _ path: String, _ ids: [String: UInt32?], _ comment: Comment
    ) throws {
        let fresh = TopicDictionary(path: path)
        for (text, id) in ids {
            #expect(try id == fresh.existingID(of: text), "\(text): \(comment)")
        }
        let numbers = ids.values.compactMap(\.self).sorted()
        #expect(numbers == Array(2..<UInt32(ids.count + 2)), comment)
        #expect(try Files.list(Files.parent(of: path)) == ["dictionary"], comment)
        #expect(DictionaryScan(path: path).texts.count == ids.count + 1, comment)
    }

    @Test func oneIsStopped() throws {
        var skipped = 0
        while true {
            let place = try TemporaryDirectory("millrace-dictionary", inMemory: true)
            let path = try Self.dictionary(place)
            let adder = Adder(path, "stopped")
            let isStopped = try adder.start(skipping: skipped)
            var ids: [String: UInt32?] = [:]
            for text in ["a", "b"] { ids[text] = try TopicDictionary(path: path).id(of: text) }
            ids["stopped"] = adder.finish()
            try Self.check(path, ids, "call \(skipped)")
            if !isStopped { break }
            skipped += 1
        }
        #expect(skipped > 15)
    }

    /// Two are stopped, the second while the first is, and wake in either order.
    @Test func twoAreStopped() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("dictionary race seed \(seed)")
        var random = SplitMix64(seed: seed)
        for turn in 0..<150 {
            let place = try TemporaryDirectory("millrace-dictionary", inMemory: true)
            let path = try Self.dictionary(place)
            var ids: [String: UInt32?] = [:]
            let adders = [Adder(path, "one"), Adder(path, "two")]
            let skipped = adders.map { _ in Int(random.next() % 32) }
            for (adder, skipped) in zip(adders, skipped) {
                _ = try adder.start(skipping: skipped)
                let text = "after \(adder.text)"
                if random.next() % 2 == 0 {
                    ids[text] = try TopicDictionary(path: path).id(of: text)
                }
            }
            for adder in random.next() % 2 == 0 ? adders : adders.reversed() {
                ids[adder.text] = adder.finish()
                let text = "behind \(adder.text)"
                ids[text] = try TopicDictionary(path: path).id(of: text)
            }
            try Self.check(path, ids, "turn \(turn), seed \(seed), calls \(skipped)")
        }
    }

    /// An adder dies at any of its calls: its text has the next number, or none.
    @Test func oneDies() throws {
        _ = try FaultPlan.forEachCall(.error(EIO), .forever) { plan in
            let place = try TemporaryDirectory("millrace-dictionary", inMemory: true)
            let path = try Self.dictionary(place)
            var told: UInt32?
            plan.run(on: place.path) {
                do { told = try TopicDictionary(path: path).id(of: "dead") } catch {}
            }
            let next = try TopicDictionary(path: path).id(of: "next")
            let dead = try TopicDictionary(path: path).existingID(of: "dead")
            #expect(told == nil || told == dead, "call \(plan.number)")
            #expect(next == (dead == nil ? 2 : 3), "call \(plan.number)")
            #expect(try TopicDictionary(path: path).id(of: "dead") == (dead ?? 3))
        }
    }
}
