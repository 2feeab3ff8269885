import MillraceSystem
import Testing

@testable import MillraceLog

/// Lookups through the index against a scan of every header.
@Suite struct SegmentIndexTests {
    private static func seeded(_ what: String) -> SplitMix64 {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("\(what) seed \(seed)")
        return SplitMix64(seed: seed)
    }

    @Test(arguments: [600, 9_000, 150_000])
    func findsWhatAScanFinds(largest: Int) throws {
        var random = Self.seeded("index, batches of up to \(largest) bytes,")
        let log = try IndexedLog(
            bytes: 3 << 19, segmentBytes: 1 << 19, largest: largest, random: &random)
        #expect(log.list.entries.count > 2)
        let offsets = log.offsets.shuffled(using: &random).prefix(60) + [0, 1 << 40]
        let times = log.times.shuffled(using: &random).prefix(60) + [.min, 0, .max]
        #expect(try log.answersAreRight(offsets: Array(offsets), times: Array(times)))
        try log.rebuild()
        #expect(try log.answersAreRight(offsets: Array(offsets), times: Array(times)))
    }

    /// A lookup looks at no more headers than begin within 64 KiB, however long the segment is.
    @Test(arguments: [1 << 20, 8 << 20])
    func visitsFewHeaders(bytes: Int) throws {
        var random = Self.seeded("index of \(bytes) bytes")
        let log = try IndexedLog(
            bytes: bytes, segmentBytes: bytes, largest: 1_000, random: &random)
        try log.rebuild()
        // The batch that the slot is about begins at or before the multiple of 64 KiB.
        let smallest = try #require(log.batches.map(\.header.batchBytes).min())
        let bound = SegmentIndexFormat.interval / smallest + 1
        for turn in 0..<200 {
            let batch = log.batches[Int(random.next() % UInt64(log.batches.count))]
            let found = try log.find(offset: batch.header.baseOffset)
            #expect(found.visited <= bound, "turn \(turn)")
            var lookup = log.lookup()
            let match = try lookup.firstBatch(atOrAfter: batch.header.maxTimestamp)
            #expect(match?.position == log.naive(time: batch.header.maxTimestamp)?.position)
            #expect(lookup.visited <= bound, "turn \(turn)")
        }
        try log.removeIndexes()
        // The bound means something: without an index it is broken.
        let last = try #require(log.batches.last { $0.segment == 0 && $0.header.rows > 0 })
        #expect(try log.find(offset: last.header.baseOffset).visited > bound)
    }

    /// Filling while appending gives the same bytes as filling afterwards.
    @Test func fillingIsRebuilding() throws {
        var random = Self.seeded("filling")
        let log = try IndexedLog(
            bytes: 1 << 20, segmentBytes: 1 << 20, largest: 100_000, random: &random)
        try log.rebuild()
        let rebuilt = try Damage.content(log.indexPath(0))
        try Files.remove(log.indexPath(0))
        let entry = log.list.entries[0]
        // Two writers that each know half the batches, one of them twice, in any order.
        for half in [1, 0, 1] {
            var writer = SegmentIndexWriter(
                segmentPath: entry.path, header: entry.header, priorMaxTimestamp: .min)
            var largest = Int64.min
            for (number, batch) in log.batches.enumerated() where batch.segment == 0 {
                if number % 2 == half {
                    writer.note(batch.header, at: batch.position, maxTimestampBefore: largest)
                }
                largest = max(largest, batch.header.indexedTimestamp)
            }
        }
        #expect(try Damage.content(log.indexPath(0)) == rebuilt)
        try SegmentIndex.rebuild(
            log.fixture.files.open(entry), limit: log.limit(0), priorMaxTimestamp: .min)
        #expect(try Damage.content(log.indexPath(0)) == rebuilt)
    }

    /// What a writer does not know does not replace what the index knows; the reverse does.
    @Test func anUnknownTimestampIsFilledIn() throws {
        var random = Self.seeded("unknown timestamp")
        let log = try IndexedLog(
            bytes: 1 << 16, segmentBytes: 1 << 16, largest: 1_000, random: &random)
        try log.removeIndexes()
        let entry = log.list.entries[0]
        func prior(_ value: Int64) -> Int64? {
            _ = SegmentIndexWriter(
                segmentPath: entry.path, header: entry.header, priorMaxTimestamp: value)
            return SegmentIndex(segmentPath: entry.path, header: entry.header).priorMaxTimestamp
        }
        #expect(prior(SegmentIndexFormat.unknownTimestamp) == nil)
        #expect(prior(77) == 77)
        #expect(prior(SegmentIndexFormat.unknownTimestamp) == 77)
    }

    /// A directory that cannot be written, here since the name is taken, is no error.
    @Test func anIndexThatCannotBeWrittenIsLeftOut() throws {
        var random = Self.seeded("unwritable")
        let log = try IndexedLog(
            bytes: 1 << 18, segmentBytes: 1 << 17, largest: 5_000, random: &random)
        try log.removeIndexes()
        for index in log.list.entries.indices {
            try Files.createDirectory(log.indexPath(index))
        }
        try log.rebuild()
        #expect(try log.answersAreRight(offsets: log.offsets, times: log.times))
    }
}
