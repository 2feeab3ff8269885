import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Every flip and every cut, of a machine that is up and of one that was restarted: found, or
/// without harm; never a trap, never wrong rows, never fewer in silence.
///
/// After a restart, rows that were never durable may be dropped from the end, counted; rows that
/// were durable are there, or the partition is refused.
@Suite struct DamageSweepTests {
    @Test(arguments: DamagedLog.Kind.all)
    func everyBitOfTheLastTwoBatches(_ kind: DamagedLog.Kind) throws {
        let log = try DamagedLog(kind)
        var harmless = 0
        for bit in log.boundaries[1] * 8..<log.boundaries[3] * 8 {
            try Damage.flip(log.path, bit: bit)
            let batch = log.batch(at: bit / 8)
            if kind.isRestarted || bit % 5 == 0 {
                let (outcome, torn) = log.write()
                let isAllowed = log.isAllowed(outcome, torn: torn, batch: batch)
                #expect(isAllowed, "bit \(bit): \(outcome), \(torn) bytes torn")
                if outcome == .batches(5) { harmless += 1 }
                try log.image.restore()
            } else {
                let outcome = log.read()
                #expect(log.isAllowed(outcome, torn: 0, batch: batch), "bit \(bit): \(outcome)")
                if outcome == .batches(5) { harmless += 1 }
                try Damage.flip(log.path, bit: bit)
            }
        }
        // Only padding is covered by no checksum.
        #expect(harmless > 0)
        #expect(harmless < 2 * 63 * 8)
        #expect(log.read() == .batches(5))
    }

    @Test(arguments: DamagedLog.Kind.all)
    func everyTruncation(_ kind: DamagedLog.Kind) throws {
        let log = try DamagedLog(kind)
        let sizes = 0..<log.boundaries[3] + 256
        for size in sizes.reversed() {
            try Damage.truncate(log.path, to: size)
            let kept = log.batches(in: size)
            let lastEnd = log.boundaries.last { $0 <= size } ?? size
            let (outcome, torn) = log.write()
            if kept == 5 {
                #expect(outcome == .batches(5), "\(size) bytes")
            } else if kind.isRestarted, kept >= log.durable {
                #expect(outcome == .batches(kept), "\(size) bytes")
                #expect((torn > 0) == (size > lastEnd), "\(size) bytes")
            } else {
                #expect(outcome == .refused, "\(size) bytes")
                #expect(log.read() == .refused, "\(size) bytes")
            }
            try log.image.restore()
        }
    }

    /// The fields of the page, bit by bit, and the rest of it by bytes.
    @Test(arguments: DamagedLog.Kind.all)
    func everyBitOfTheControlPage(_ kind: DamagedLog.Kind) throws {
        let log = try DamagedLog(kind)
        let fields = [
            64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 832, 896, 960, 1024, 1088,
        ]
        let bytes = Set(fields.flatMap { $0..<$0 + 8 }).union(0..<32)
        let path = log.fixture.controlPath
        var refused = 0
        for bit in bytes.sorted().flatMap({ $0 * 8..<$0 * 8 + 8 }) {
            try Damage.flip(path, bit: bit)
            let first = log.read()
            #expect(first == .refused || first == .batches(5), "bit \(bit): \(first)")
            let (outcome, torn) = log.write()
            #expect(outcome == .refused || outcome == .batches(5), "bit \(bit): \(outcome)")
            #expect(torn == 0)
            if first == .refused || outcome == .refused { refused += 1 }
            try log.image.restore()
        }
        // What tells whose page it is, and the words with a check of their own. A recovery makes
        // `allocated` and the end offset anew; without one nobody needs `clean`.
        #expect(refused == 256 + (kind.isRestarted ? 7 : 8) * 64)
        // The rest nobody looks at.
        for bit in 0..<8 {
            var page = try Damage.content(path)
            for byte in page.indices where !bytes.contains(byte) { page[byte] ^= 1 << UInt8(bit) }
            try Damage.overwrite(path, with: page)
            #expect(log.read() == .batches(5))
            #expect(log.write().outcome == .batches(5))
            try log.image.restore()
        }
    }

    @Test(arguments: DamagedLog.Kind.all)
    func everyTruncationOfTheControlPage(_ kind: DamagedLog.Kind) throws {
        let log = try DamagedLog(kind)
        for size in (0..<ControlPage.byteCount).reversed() {
            try Damage.truncate(log.fixture.controlPath, to: size)
            let outcome = size % 2 == 0 ? log.read() : log.write().outcome
            #expect(outcome == .refused, "\(size) bytes")
        }
    }

    /// Indexes only make searches short: whatever they hold, every row is found where it is.
    @Test(arguments: DamagedLog.Kind.all)
    func everyBitOfTheIndexes(_ kind: DamagedLog.Kind) throws {
        let log = try DamagedLog(kind)
        let names = log.image.files.keys.filter { $0.hasSuffix(".index") }.sorted()
        #expect(names.count == 2)
        for name in names {
            let path = log.image.directory + "/" + name
            let size = log.image.files[name]?.count ?? 0
            #expect(size >= 96)
            for bit in 0..<size * 8 {
                try Damage.flip(path, bit: bit)
                #expect(try Self.everyOffsetIsFound(log), "bit \(bit) of \(name)")
                if bit % 31 == 0 { #expect(log.write().outcome == .batches(5)) }
                try log.image.restore()
            }
            for size in 0..<size {
                try Damage.truncate(path, to: size)
                #expect(try Self.everyOffsetIsFound(log), "\(size) bytes of \(name)")
                try log.image.restore()
            }
        }
    }

    private static func everyOffsetIsFound(_ log: DamagedLog) throws -> Bool {
        var reader = try log.fixture.topic.reader(partition: 0)
        for batch in log.whole {
            try reader.seek(to: batch.endOffset - 1)
            guard let found = try reader.next() else { return false }
            if found.baseOffset != batch.baseOffset { return false }
            if found.skippedRows != batch.rows - 1 { return false }
        }
        let time = log.whole[3].timestamps[0]
        let first = log.whole.first { $0.timestamps[0] >= time }
        return try log.fixture.topic.offset(partition: 0, atOrAfter: time) == first?.baseOffset
    }

    /// A few bits anywhere in any file of the partition.
    @Test(arguments: DamagedLog.Kind.all)
    func randomFlips(_ kind: DamagedLog.Kind) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("random flips, \(kind.testDescription), seed \(seed)")
        var random = SplitMix64(seed: seed)
        let log = try DamagedLog(kind)
        let names = log.image.files.keys.filter { log.image.files[$0] != [] }.sorted()
        var refused = 0
        for turn in 0..<600 {
            for _ in 0...random.next() % 3 {
                let name = names[Int(random.next() % UInt64(names.count))]
                let bits = UInt64(log.image.files[name]?.count ?? 0) * 8
                // Most of a control page is of no use to anyone.
                let range = name == "control" && turn % 4 != 0 ? min(bits, 1100 * 8) : bits
                let bit = Int(random.next() % range)
                try Damage.flip(log.image.directory + "/" + name, bit: bit)
            }
            let first = turn % 2 == 0 ? log.read() : .refused
            let (outcome, _) = log.write()
            for outcome in [first, outcome] {
                switch outcome {
                case .refused: refused += 1
                case .batches(let count):
                    let least = kind.isRestarted ? log.durable : 5
                    #expect(count >= least, "turn \(turn), seed \(seed): \(outcome)")
                case .wrong: Issue.record("turn \(turn), seed \(seed): \(outcome)")
                }
            }
            try log.image.restore()
        }
        #expect(refused > 300)
        #expect(log.read() == .batches(5))
    }
}
