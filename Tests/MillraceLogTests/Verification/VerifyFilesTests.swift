import MillraceSystem
import MillraceTestSupport
import Synchronization
import Testing

@testable import MillraceLog

/// Files that are missing, cut off, left over or somebody else's.
@Suite struct VerifyFilesTests {
    private static func topic(_ what: String) throws -> DamagedTopic {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("\(what) seed \(seed)")
        return try DamagedTopic(seed: seed)
    }

    /// What `path` does to the log when it goes: its rows and no others.
    @Test func aMissingSegment() throws {
        let topic = try Self.topic("missing segment")
        for (number, path) in topic.segments.enumerated() {
            let whole = try Damage.content(path)
            try Files.remove(path)
            let gone = topic.batches.filter { $0.path == path }
            let rows = gone[0].offsets.lowerBound..<(gone.last?.offsets.upperBound ?? 0)
            let found = try topic.verify()
            let fault = try #require(found.faults.first)
            #expect(found.faults.count == 1)
            let before =
                number == 0 ? topic.fixture.partitionPath : topic.segments[number - 1]
            #expect(fault.path == before)
            #expect(fault.lostOffsets == rows)
            if number > 0 {
                let end = topic.batches.last { $0.path == before }?.bytes.upperBound
                #expect(fault.position == end)
            }
            let kept = topic.offsets { $0.path == path }
            #expect(found.counts.rows == UInt64(kept.count))
            // Its index is left without it.
            #expect(found.notes.count == 1)
            try topic.expectSalvage(keeps: kept)
            try Files.writeDurably(path, whole)
        }
        #expect(try topic.verify().isIntact == true)
    }

    /// A writer that died between making the file and writing its header.
    @Test func anIndexThatWasNeverBegun() throws {
        let topic = try Self.topic("index without a header")
        let path = SegmentIndexFormat.path(ofSegment: topic.segments[1])
        let whole = try Damage.content(path)
        for size in [0, 63, 64] {
            try Damage.overwrite(path, with: [UInt8](repeating: 0, count: size))
            let found = try topic.verify()
            #expect(found.isIntact)
            #expect(found.notes.map(\.path) == [path])
        }
        // A header that is cut off is another matter.
        try Damage.overwrite(path, with: Array(whole.prefix(32)))
        #expect(try topic.verify().faults.map(\.path) == [path])
    }

    @Test func aTruncatedSegment() throws {
        let topic = try Self.topic("truncated segment")
        for path in [topic.segments[0], topic.segments[2], try #require(topic.segments.last)] {
            let whole = try Damage.content(path)
            let ends = topic.batches.filter { $0.path == path }.map(\.bytes.upperBound)
            let used = try #require(ends.last)
            let sizes =
                [0, 1, 127, 128, 129, used - 1] + ends.dropLast().prefix(5)
                + ends.prefix(5).map { $0 - 1 }
            for size in sizes.sorted().reversed() {
                try Damage.truncate(path, to: size)
                let found = try topic.verify()
                let fault = try #require(found.faults.first, "\(size) bytes")
                #expect(found.faults.count == 1, "\(size) bytes")
                #expect(fault.path == path, "\(size) bytes")
                #expect(fault.lostBytes?.upperBound == used, "\(size) bytes")
                let kept = topic.offsets { $0.path == path && $0.bytes.upperBound > size }
                #expect(found.counts.rows == UInt64(kept.count), "\(size) bytes")
                if size % 3 == 0 || size < 130 { try topic.expectSalvage(keeps: kept) }
            }
            try Damage.overwrite(path, with: whole)
        }
        #expect(try topic.verify().isIntact == true)
    }

    @Test func everyBitOfTheControlPagesIdentity() throws {
        let topic = try Self.topic("control page")
        let path = topic.fixture.controlPath
        for bit in 0..<32 * 8 {
            try Damage.flip(path, bit: bit)
            let found = try topic.verify()
            #expect(found.faults.map(\.path) == [path], "bit \(bit)")
            #expect(found.counts.rows == topic.end, "bit \(bit)")
            if bit % 50 == 0 { try topic.expectSalvage(keeps: Array(0..<topic.end)) }
            try Damage.flip(path, bit: bit)
        }
        for size in [0, 1, 64, 4095] {
            let whole = try Damage.content(path)
            try Damage.truncate(path, to: size)
            #expect(try topic.verify().faults.map(\.path) == [path])
            try topic.expectSalvage(keeps: Array(0..<topic.end))
            try Damage.overwrite(path, with: whole)
        }
        try Files.remove(path)
        #expect(try topic.verify().faults.map(\.path) == [path])
        try topic.expectSalvage(keeps: Array(0..<topic.end))
    }

    /// A published end that is too high, too low or inside a batch, an epoch that is too low.
    @Test func aWrongPublishedEnd() throws {
        let topic = try Self.topic("published end")
        let control = try topic.fixture.control()
        let word = try control.publishedValue()
        let last = try #require(topic.batches.last)
        func publish(_ epoch: UInt64, _ position: UInt64) {
            control.published.storeReleasing(
                PublishedWord(epoch: epoch, position: position).word)
        }
        publish(word.epoch, word.position + 6_400)
        var found = try topic.verify()
        #expect(found.faults.map(\.path) == [last.path])
        #expect(found.counts.rows == topic.end)
        try topic.expectSalvage(keeps: Array(0..<topic.end))
        publish(word.epoch, word.position - 64)
        found = try topic.verify()
        // What is durable, or a segment that was begun, may be ahead of such words, too.
        #expect(Set(found.faults.map(\.path)) == [topic.fixture.controlPath])
        #expect(found.faults.contains { $0.position == 64 } == true)
        #expect(found.counts.rows == topic.end)
        publish(word.epoch, 0)
        #expect(try topic.verify().faults.contains { $0.path == topic.fixture.controlPath })
        publish(1, word.position)
        found = try topic.verify()
        #expect(Set(found.faults.map(\.path)) == [topic.fixture.controlPath])
        #expect(found.faults.contains { $0.position == 64 } == true)
        #expect(found.counts.rows == topic.end)
        publish(word.epoch, word.position)
        for (end, ceiling) in [(0, 1 << 24), (1 << 25, 1 << 24), (topic.end, topic.end - 1)] {
            control.endOffset.storeReleasing(CheckedWord.seal(end))
            control.offsetCeiling.storeReleasing(CheckedWord.seal(ceiling))
            let positions = Set(try topic.verify().faults.map(\.position))
            #expect(positions.isSubset(of: [128, 192]) && !positions.isEmpty)
        }
        control.endOffset.storeReleasing(CheckedWord.seal(topic.end))
        control.offsetCeiling.storeReleasing(CheckedWord.seal(1 << 24))
        #expect(try topic.verify().isIntact == true)
        let durable = control.durable.loadAcquiring()
        for position in [0, word.position + 64] {
            control.durable.storeReleasing(CheckedWord.seal(position >> 6))
            #expect(try topic.verify().faults.map(\.position) == [640])
        }
        control.durable.storeReleasing(durable)
        control.start.storeReleasing(CheckedWord.seal(word.position >> 6 + 1))
        #expect(try topic.verify().faults.contains { $0.position == 832 } == true)
        control.start.storeReleasing(CheckedWord.seal(0))
        #expect(try topic.verify().isIntact == true)
    }

    /// What was started below the log's first position is left over by retention, and no fault.
    @Test func segmentsBelowTheStart() throws {
        let topic = try Self.topic("below the start")
        let control = try topic.fixture.control()
        let first = try #require(topic.batches.first { $0.path == topic.segments[2] })
        let start = try topic.fixture.files.segments(from: 0).entries[2].header.basePosition
        control.start.storeReleasing(CheckedWord.seal(start >> 6))
        let kept = Array(first.offsets.lowerBound..<topic.end)
        // Whatever they hold.
        for byte in [0, 200, 1_000] {
            try Damage.flip(topic.segments[0], bit: byte * 8)
            let found = try topic.verify()
            #expect(found.faults == [])
            #expect(found.notes.map(\.path) == Array(topic.segments[..<2]))
            #expect(found.counts.rows == UInt64(kept.count))
        }
        try topic.expectSalvage(keeps: kept)
        for path in topic.segments[..<3] { try Files.remove(path) }
        let lost = try topic.verify().faults
        #expect(lost.map(\.effect) == [.rows])
        #expect(lost.first?.path == topic.fixture.partitionPath)
    }

    /// A partition that takes nothing more is intact, and verification says why it does not.
    @Test func poisonedAndDeletedPartitions() throws {
        let topic = try Self.topic("states")
        let control = try topic.fixture.control()
        for state in [PartitionState.poisoned, .deleted] {
            control.state.storeReleasing(CheckedWord.seal(state.rawValue))
            let found = try topic.verify()
            #expect(found.faults == [])
            #expect(found.notes.map(\.path) == [topic.fixture.partitionPath])
            #expect(found.counts.rows == topic.end)
        }
        try topic.expectSalvage(keeps: Array(0..<topic.end))
        // A topic that is being deleted is none.
        let deleted = topic.fixture.directory.file("topics/~deleted-0000000000000001")
        try Files.renameDurably(topic.topicPath, deleted)
        let data = try topic.data
        let code = logErrorCode { () throws(LogError) in _ = try data.verifyTopic("rows") }
        #expect(code == .notFound)
    }

    /// Any bit of the control page's words: no trap, no row that is not there.
    @Test func everyBitOfTheControlPagesWords() throws {
        let topic = try Self.topic("control words")
        let path = topic.fixture.controlPath
        let checked = [64, 128, 192, 448, 512, 640, 768, 832, 896, 960]
        for byte in checked + [256, 320, 384, 576, 704, 1024, 1088] {
            for bit in byte * 8..<byte * 8 + 64 {
                try Damage.flip(path, bit: bit)
                let found = try topic.verify()
                // No word is needed to find the rows, and each is checked by itself.
                #expect(found.counts.rows == topic.end, "bit \(bit)")
                #expect(
                    found.faults.map(\.position) == (checked.contains(byte) ? [byte] : []),
                    "bit \(bit)")
                #expect(found.faults.allSatisfy { $0.path == path })
                try Damage.flip(path, bit: bit)
            }
        }
        #expect(try topic.verify().isIntact == true)
    }

    @Test func superfluousFilesAreListed() throws {
        let topic = try Self.topic("leftovers")
        let header = try #require(try topic.fixture.files.segments(from: 0).entries.last?.header)
        // A writer that was fenced, one that died before its header, temporary files.
        var fenced = header
        fenced.epoch = header.epoch - 1
        let directory = topic.fixture.partitionPath + "/"
        let published = try topic.fixture.control().publishedValue()
        let superseded = Segment.name(basePosition: header.basePosition, epoch: fenced.epoch)
        let blank = Segment.name(basePosition: published.position, epoch: UInt32(published.epoch))
        try Files.writeDurably(directory + superseded, fenced.encoded())
        try Files.writeDurably(directory + blank, [UInt8](repeating: 0, count: 4096))
        try Files.writeDurably(directory + "x.log.tmp-1", [1])
        try Files.writeDurably(topic.topicPath + "/topic.json.tmp-7", [2])
        let found = try topic.verify()
        #expect(found.faults == [])
        #expect(found.counts.rows == topic.end)
        let paths = Set(found.notes.map(\.path))
        #expect(
            paths == [
                directory + superseded, directory + blank, directory + "x.log.tmp-1",
                topic.topicPath + "/topic.json.tmp-7",
            ])
        try topic.expectSalvage(keeps: Array(0..<topic.end))
    }

    /// An intact segment of another topic or partition is no part of this one.
    @Test func aForeignSegment() throws {
        let topic = try Self.topic("foreign")
        let other = try Self.topic("foreign other")
        let path = topic.segments[1]
        try Damage.overwrite(path, with: try Damage.content(other.segments[1]))
        let found = try topic.verify()
        #expect(found.faults.contains { $0.path == path && $0.position == 16 })
        #expect(found.faults.contains { $0.path == topic.segments[0] && $0.effect == .rows })
        try topic.expectSalvage(keeps: topic.offsets { $0.path == path })
        // Two segments that have changed places: the headers are believed.
        let swapped = try Self.topic("swapped")
        let one = try Damage.content(swapped.segments[1])
        let two = try Damage.content(swapped.segments[2])
        try Damage.overwrite(swapped.segments[1], with: two)
        try Damage.overwrite(swapped.segments[2], with: one)
        let names = try swapped.verify().faults.filter { $0.effect != .derived }
        #expect(Set(names.map(\.path)) == [swapped.segments[1], swapped.segments[2]])
        try swapped.expectSalvage(keeps: Array(0..<swapped.end))
    }

    /// Verification beside a writer that appends, rolls and takes over finds nothing wrong.
    @Test func whileAWriterWorks() throws {
        let fixture = try TopicFixture()
        let isDone = Atomic<Bool>(false)
        let thread = try PinnedThread(name: "writer", core: nil) {
            do throws(LogError) {
                for _ in 0..<40 {
                    var writer = try fixture.topic.writer(partition: 0)
                    for count in 0..<150 { try Rows.append(1 + count % 40, to: &writer) }
                }
            } catch {
                Issue.record(error)
            }
            isDone.store(true, ordering: .releasing)
        }
        let data = try DataDirectory(fixture.directory.path, create: false)
        var rows: UInt64 = 0
        while !isDone.load(ordering: .acquiring) {
            let found = try data.verifyTopic("rows")
            #expect(found.faults == [])
            #expect(found.counts.rows >= rows)
            rows = found.counts.rows
        }
        thread.join()
        let found = try data.verifyTopic("rows")
        #expect(found.faults == [])
        #expect(found.counts.rows == (try fixture.topic.endOffset(partition: 0)))
    }
}
