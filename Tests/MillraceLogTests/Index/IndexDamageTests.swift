import MillraceSystem
import Testing

@testable import MillraceLog

/// An index may hold anything: answers stay those of a scan.
@Suite struct IndexDamageTests {
    private static func log(_ what: String) throws -> (IndexedLog, SplitMix64) {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("\(what) seed \(seed)")
        var random = SplitMix64(seed: seed)
        let log = try IndexedLog(
            bytes: 9 << 16, segmentBytes: 3 << 16, largest: 30_000, random: &random)
        try log.rebuild()
        return (log, random)
    }

    /// A few rows and times, those on both sides of every slot among them.
    private static func questions(_ log: IndexedLog) -> (offsets: [UInt64], times: [Int64]) {
        let picks = stride(from: 0, to: log.batches.count, by: max(1, log.batches.count / 8))
        let batches = picks.map { log.batches[$0].header }
        return (batches.map(\.baseOffset), batches.map(\.maxTimestamp))
    }

    @Test func everyBit() throws {
        let (log, _) = try Self.log("index bits")
        let asked = Self.questions(log)
        let path = log.indexPath(1)
        let whole = try Damage.content(path)
        #expect(whole.count >= 64 + 3 * 32)
        for bit in 0..<whole.count * 8 {
            try Damage.flip(path, bit: bit)
            let right = try log.answersAreRight(offsets: asked.offsets, times: asked.times)
            #expect(right, "bit \(bit)")
            try Damage.flip(path, bit: bit)
        }
        #expect(try Damage.content(path) == whole)
    }

    @Test func everyTruncation() throws {
        let (log, _) = try Self.log("index truncation")
        let asked = Self.questions(log)
        let path = log.indexPath(1)
        for size in (0..<(try Damage.content(path).count)).reversed() {
            try Damage.truncate(path, to: size)
            let right = try log.answersAreRight(offsets: asked.offsets, times: asked.times)
            #expect(right, "\(size) bytes")
        }
        try Files.remove(path)
        #expect(try log.answersAreRight(offsets: asked.offsets, times: asked.times))
    }

    /// Slots that are missing, moved, of another segment, of a longer log, or noise.
    @Test func everyOtherDamage() throws {
        var (log, random) = try Self.log("index damage")
        let asked = Self.questions(log)
        let path = log.indexPath(1)
        let whole = try Damage.content(path)
        let slots = (whole.count - 64) / 32
        for turn in 0..<300 {
            var bytes = whole
            for _ in 0...Int(random.next() % 6) {
                let slot = 64 + 32 * Int(random.next() % UInt64(slots))
                let other = 64 + 32 * Int(random.next() % UInt64(slots))
                switch random.next() % 4 {
                case 0: for byte in slot..<slot + 32 { bytes[byte] = 0 }
                case 1: for byte in slot..<slot + 32 { bytes[byte] = UInt8(random.next() & 0xFF) }
                case 2: bytes.replaceSubrange(slot..<slot + 32, with: whole[other..<other + 32])
                default: bytes += whole[other..<other + 32]
                }
            }
            try Damage.overwrite(path, with: bytes)
            let right = try log.answersAreRight(offsets: asked.offsets, times: asked.times)
            #expect(right, "turn \(turn)")
        }
        try Damage.overwrite(path, with: try Damage.content(log.indexPath(0)))
        #expect(try log.answersAreRight(offsets: asked.offsets, times: asked.times))
        try log.rebuild()
        #expect(Array(try Damage.content(path).prefix(whole.count)) == whole)
    }

    /// Slots that are intact but tell of batches which are not there are caught at the segment.
    @Test func slotsThatLie() throws {
        var (log, random) = try Self.log("lying index")
        let entry = log.list.entries[1]
        let asked = Self.questions(log)
        let inside = log.batches.filter { $0.segment == 1 }
        for turn in 0..<200 {
            var writer = SegmentIndexWriter(
                segmentPath: entry.path, header: entry.header, priorMaxTimestamp: .min)
            let batch = inside[Int(random.next() % UInt64(inside.count))]
            var lie = batch.header
            lie.batchBytes = 1 << 18
            lie.baseOffset -= min(lie.baseOffset, random.next() % 40 + 1)
            writer.note(lie, at: batch.position, maxTimestampBefore: .max)
            let right = try log.answersAreRight(offsets: asked.offsets, times: asked.times)
            #expect(right, "turn \(turn)")
        }
    }

    /// A slot beyond what is published, by a writer that was fenced, is not looked at.
    @Test func slotsBehindTheLimit() throws {
        let (log, _) = try Self.log("limit")
        let entry = log.list.entries[0]
        let inside = log.batches.filter { $0.segment == 0 }
        let middle = inside[inside.count / 2]
        let segment = try log.fixture.files.open(entry)
        let slots = SegmentIndex(segmentPath: entry.path, header: entry.header)
        for batch in inside where batch.header.rows > 0 {
            let start = slots.start(
                forOffset: batch.header.baseOffset, in: segment, limit: middle.position)
            #expect(start.position < middle.position)
            #expect(start.position <= batch.position)
        }
        let none = slots.start(forOffset: .max, in: segment, limit: entry.header.basePosition)
        #expect(none.position == entry.header.basePosition)
        #expect(slots.floor(ofPosition: middle.position)?.position ?? .max <= middle.position)
    }
}
