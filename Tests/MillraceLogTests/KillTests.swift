import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Processes that are killed while they append: what was acknowledged is there, once, in order.
@Suite(.serialized) struct KillTests {
    /// Appends until a thread of its own kills the process. After each append that returned, the
    /// offset behind it goes to the file `acknowledged`, which outlives the process.
    private static func appendUntilKilled(_ path: String, seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let topic = try DataDirectory(path, create: false).topic("rows")
        // Some are killed while they open, most while they append.
        let delay = Int64(random.unit() * (random.next() % 4 == 0 ? 2e6 : 30e6))
        let killer = try PinnedThread(name: "killer", core: nil) {
            PinnedThread.sleep(nanoseconds: delay)
            kill(getpid(), SIGKILL)
        }
        let acknowledged = unsafe open(path + "/acknowledged", O_WRONLY | O_APPEND)
        var writer = try topic.writer(partition: 0)
        for turn in 0..<1_000_000 {
            if turn % 7 == 3 {
                try Rows.appendProgress(to: &writer, end: writer.nextOffset)
            } else {
                try Rows.append(1 + Int(random.next() % Self.maxRows), to: &writer)
            }
            if turn % 50 == 49 { try writer.flush() }
            var end = writer.nextOffset
            _ = unsafe write(acknowledged, &end, 8)
        }
        killer.join()
    }

    private static let maxRows: UInt64 = 40

    /// The offset behind the last append that was acknowledged.
    private func acknowledged(_ fixture: TopicFixture) throws -> UInt64 {
        let bytes = try Damage.content(fixture.directory.file("acknowledged"))
        // A record that was cut off was not acknowledged.
        let count = bytes.count / 8
        guard count > 0 else { return 0 }
        return (0..<8).reduce(0) { $0 | UInt64(bytes[count * 8 - 8 + $1]) << UInt64(8 * $1) }
    }

    @Test(arguments: [Codec.none, .lz4])
    func acknowledgedRowsSurvive(_ codec: Codec) async throws {
        let fixture = try TopicFixture(codec: codec)
        let path = fixture.directory.path
        try Files.writeDurably(path + "/acknowledged", [])
        var verified: UInt64 = 0
        var extra = 0
        for round in 0..<15 {
            let seed = UInt64.random(in: 0...UInt64.max)
            print("kill round \(round), codec \(codec), seed \(seed)")
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = path as String, seed = seed as UInt64] in
                try Self.appendUntilKilled(path, seed: seed)
            }
            let promised = try acknowledged(fixture)
            // A reader sees the same as the next writer, before that has repaired anything.
            var reader = try fixture.topic.reader(partition: 0, from: verified)
            let seen = try #require(try Rows.offsets(&reader), "seed \(seed)")
            let writer = try fixture.topic.writer(partition: 0)
            let end = writer.nextOffset
            #expect(seen == Array(verified..<end), "seed \(seed)")
            #expect(end >= promised, "seed \(seed)")
            #expect(end <= promised + Self.maxRows, "seed \(seed)")
            #expect(writer.tornBytes == 0)
            if end > promised { extra += 1 }
            verified = end
            // What was there without an acknowledgement counts from now on.
            try append(end, to: fixture)
        }
        var reader = try fixture.topic.reader(partition: 0)
        #expect(try Rows.offsets(&reader) == Array(0..<verified))
        #expect(verified > 0)
        print("\(verified) rows, \(extra) rounds with an unacknowledged batch")
    }

    private func append(_ end: UInt64, to fixture: TopicFixture) throws {
        let bytes = (0..<8).map { UInt8(end >> UInt64(8 * $0) & 0xFF) }
        try Damage.overwrite(fixture.directory.file("acknowledged"), with: bytes)
    }

    /// A process that is killed while it creates topics and names leaves nothing half-made.
    @Test func creationsAreAllOrNothing() async throws {
        let directory = try TemporaryDirectory("millrace-kill")
        let path = directory.path
        for round in 0..<6 {
            let seed = UInt64.random(in: 0...UInt64.max)
            print("creation round \(round), seed \(seed)")
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = path as String, seed = seed as UInt64] in
                try Self.createUntilKilled(path, seed: seed)
            }
            let data = try DataDirectory(path, create: true)
            for name in try data.topicNames() {
                let topic = try data.topic(name)
                for partition in 0..<3 {
                    #expect(try topic.endOffset(partition: partition) == 0, "seed \(seed)")
                }
                var id: UInt32 = 1
                while let text = try topic.dictionaryText(id) {
                    #expect(text == "text \(id)", "seed \(seed)")
                    id += 1
                }
                #expect(try topic.dictionaryID(of: "text \(id)") == id, "seed \(seed)")
            }
        }
    }

    private static func createUntilKilled(_ path: String, seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let delay = Int64(random.unit() * 40e6)
        let killer = try PinnedThread(name: "killer", core: nil) {
            PinnedThread.sleep(nanoseconds: delay)
            kill(getpid(), SIGKILL)
        }
        let data = try DataDirectory(path, create: true)
        for turn in 0..<1_000_000 {
            let name = "topic-\(turn % 5)"
            if turn >= 5 { try data.deleteTopic(name) }
            let topic = try data.topic(name, creating: .init(partitions: 3, kind: .bytes))
            var id: UInt32 = 1
            while try topic.dictionaryText(id) != nil { id += 1 }
            for next in id..<id + 3 { _ = try topic.dictionaryID(of: "text \(next)") }
        }
        killer.join()
    }
}
