import MillraceSystem

@testable import MillraceLog

/// A log with timestamps out of order, and what a scan of all its headers says of it.
struct IndexedLog {
    struct Batch {
        let segment: Int
        let position: UInt64
        let header: BatchHeader
    }

    let fixture: TopicFixture
    let batches: [Batch]
    let list: SegmentList
    let published: UInt64

    /// A log of about `bytes` bytes in segments of `segmentBytes` at least; batches of up to
    /// `largest` bytes, some of them without rows.
    init(bytes: Int, segmentBytes: Int, largest: Int, random: inout SplitMix64) throws {
        fixture = try TopicFixture(segmentBytes: segmentBytes)
        var writer = try fixture.topic.writer(partition: 0)
        var written = 0
        var time: Int64 = 1_000_000
        while written < bytes {
            if random.next() % 8 == 0 {
                try Rows.appendProgress(to: &writer, end: writer.nextOffset)
            }
            var builder = BatchBuilder()
            let size = Int(random.next() % UInt64(largest))
            let rows = 1 + Int(random.next() % 5)
            for _ in 0..<rows {
                builder.append(value: repeatElement(7, count: size / rows))
            }
            time += Int64(random.next() % 50)
            // One in ten jumps ahead, so that it is the answer for many times; some lie far back.
            let jump = Int64(random.next() % 10 == 0 ? random.next() % 2_000 : 0)
            builder.timestamp = time + jump - Int64(random.next() % 200)
            try writer.append(&builder)
            written += size + 128
        }
        list = try fixture.files.segments(from: 0)
        published = try fixture.control().publishedValue().position
        var batches: [Batch] = []
        for index in list.entries.indices {
            var walk = try BatchWalk(
                fixture.files.open(list.entries[index]),
                limit: list.limit(of: index, published: published))
            var position = walk.position
            while let header = try walk.next() {
                batches.append(Batch(segment: index, position: position, header: header))
                position = walk.position
            }
        }
        self.batches = batches
    }

    func limit(_ segment: Int) -> UInt64 { list.limit(of: segment, published: published) }

    func indexPath(_ segment: Int) -> String {
        SegmentIndexFormat.path(ofSegment: list.entries[segment].path)
    }

    func lookup() -> TimestampLookup {
        TimestampLookup(files: fixture.files, list: list, published: published)
    }

    /// Makes the indexes of all segments.
    func rebuild() throws {
        for index in list.entries.indices {
            try SegmentIndex.rebuild(
                fixture.files.open(list.entries[index]), limit: limit(index),
                priorMaxTimestamp: lookup().priorMaxTimestamp(ofSegment: index))
        }
    }

    func removeIndexes() throws {
        for index in list.entries.indices where Files.exists(indexPath(index)) {
            try Files.remove(indexPath(index))
        }
    }

    /// The batch that a scan finds for row `offset`.
    func naive(offset: UInt64) -> Batch? {
        batches.first { $0.header.baseOffset + UInt64($0.header.rows) > offset }
    }

    /// The batch that a scan finds for `time`.
    func naive(time: Int64) -> Batch? {
        batches.first { $0.header.rows > 0 && $0.header.maxTimestamp >= time }
    }

    /// The batch that the index leads to for row `offset`, and how many headers that took.
    func find(offset: UInt64) throws -> (position: UInt64?, visited: Int) {
        guard let index = list.index(ofOffset: offset) else { return (nil, 0) }
        let entry = list.entries[index]
        let segment = try fixture.files.open(entry)
        let slots = SegmentIndex(segmentPath: entry.path, header: entry.header)
        let start = slots.start(forOffset: offset, in: segment, limit: limit(index))
        var position = start.position
        var visited = 0
        while position < limit(index) {
            let header = try segment.batchHeader(at: position, limit: limit(index))
            visited += 1
            if header.baseOffset + UInt64(header.rows) > offset { return (position, visited) }
            position += UInt64(header.batchBytes)
        }
        return (nil, visited)
    }

    /// Offsets and times on, before and after every batch.
    var offsets: [UInt64] { batches.map(\.header.baseOffset) }
    var times: [Int64] { batches.flatMap { [$0.header.maxTimestamp, $0.header.maxTimestamp + 1] } }

    /// Whether the answers for these rows and times are those of a scan.
    func answersAreRight(offsets: [UInt64], times: [Int64]) throws -> Bool {
        for offset in offsets
        where try find(offset: offset).position != naive(offset: offset)?.position {
            return false
        }
        for time in times {
            var lookup = lookup()
            let found = try lookup.firstBatch(atOrAfter: time)
            if found?.position != naive(time: time)?.position { return false }
        }
        return true
    }
}
