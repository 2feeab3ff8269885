import MillraceSystem
import Testing

@testable import MillraceLog

/// Every kind of damage to the bytes of a log: verification names the file and the place, and
/// knows which rows are gone.
@Suite struct VerifyDamageTests {
    private static func topic(_ what: String, codec: Codec = .none) throws -> (
        DamagedTopic, SplitMix64
    ) {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("\(what) seed \(seed)")
        return (try DamagedTopic(codec: codec, seed: seed), SplitMix64(seed: seed &+ 1))
    }

    @Test(arguments: Codec.allCases)
    func anIntactTopic(_ codec: Codec) throws {
        let (topic, _) = try Self.topic("intact", codec: codec)
        #expect(topic.segments.count >= 4)
        let found = try topic.verify()
        #expect(found.faults == [])
        #expect(found.notes == [])
        #expect(found.isIntact == true)
        #expect(found.counts.rows == topic.end)
        #expect(found.counts.batches == topic.batches.count)
        #expect(found.counts.segments == topic.segments.count)
        #expect(found.counts.bytes == UInt64(topic.batches.reduce(0) { $0 + $1.header.batchBytes }))
        try topic.expectSalvage(keeps: Array(0..<topic.end))
    }

    /// A bit of a header or a payload costs the rows of that batch and no others.
    @Test(arguments: Codec.allCases)
    func everyByteOfABatch(_ codec: Codec) throws {
        var (topic, random) = try Self.topic("batch damage", codec: codec)
        let candidates = topic.batches.indices.filter { !topic.batches[$0].offsets.isEmpty }
        let number = candidates[Int(random.next() % UInt64(candidates.count))]
        let batch = topic.batches[number]
        let next = number + 1 < topic.batches.count ? topic.batches[number + 1] : nil
        let kept = topic.offsets { $0.offsets == batch.offsets }
        for byte in batch.bytes where byte < batch.at + 300 || byte >= batch.bytes.upperBound - 70 {
            let bit = byte * 8 + Int(random.next() % 8)
            try Damage.flip(batch.path, bit: bit)
            let found = try topic.verify()
            let fault = try #require(found.faults.first, "byte \(byte)")
            #expect(found.faults.count == 1, "byte \(byte)")
            #expect(fault.path == batch.path, "byte \(byte)")
            #expect(fault.partition == 0)
            if batch.covered.contains(byte) {
                #expect(fault.effect == .rows, "byte \(byte)")
                #expect(batch.bytes.contains(fault.position ?? -1), "byte \(byte)")
                #expect(fault.lostOffsets == batch.offsets, "byte \(byte)")
                // The next segment tells where a log whose last batch is damaged goes on.
                if next?.path == batch.path { #expect(fault.lostBytes == batch.bytes) }
                #expect(found.counts.rows == UInt64(kept.count), "byte \(byte)")
                if byte % 97 == 0 { try topic.expectSalvage(keeps: kept, "byte \(byte)") }
            } else {
                #expect(fault.effect == .metadata, "byte \(byte)")
                #expect(fault.position == byte)
                #expect(found.counts.rows == topic.end)
                try topic.expectSalvage(keeps: Array(0..<topic.end))
            }
            try Damage.flip(batch.path, bit: bit)
        }
        #expect(try topic.verify().isIntact == true)
    }

    /// A damaged segment header costs no rows: the name and the batches tell what it told.
    @Test func everyBitOfASegmentHeader() throws {
        let (topic, _) = try Self.topic("segment header")
        for (path, step) in [(topic.segments[0], 1), (topic.segments[2], 7)] {
            for bit in stride(from: 0, to: SegmentHeader.byteCount * 8, by: step) {
                try Damage.flip(path, bit: bit)
                let found = try topic.verify()
                #expect(found.faults.map(\.path) == [path], "bit \(bit)")
                #expect(found.faults.first?.effect == .metadata)
                #expect((0..<128).contains(found.faults.first?.position ?? -1))
                #expect(found.counts.rows == topic.end, "bit \(bit)")
                if bit % 301 == 0 { try topic.expectSalvage(keeps: Array(0..<topic.end)) }
                try Damage.flip(path, bit: bit)
            }
        }
        // The header and the first batch are gone: what the name tells must be right.
        let zeros = [UInt8](repeating: 0, count: 256)
        let whole = try Damage.content(topic.segments[1])
        try FileHandle(topic.segments[1], .readWrite).write(zeros, at: 0)
        let first = try #require(topic.batches.first { $0.path == topic.segments[1] })
        let found = try topic.verify()
        #expect(found.faults.allSatisfy { $0.path == topic.segments[1] } == true)
        #expect(found.faults.isEmpty == false)
        if first.header.batchBytes < 4096 { #expect(found.counts.rows < topic.end) }
        try Damage.overwrite(topic.segments[1], with: whole)
        #expect(try topic.verify().isIntact == true)
    }

    /// Sectors of zeros or noise anywhere in the segments' batches.
    @Test(arguments: Codec.allCases)
    func randomDamage(_ codec: Codec) throws {
        var (topic, random) = try Self.topic("random damage", codec: codec)
        let whole = try topic.content()
        for turn in 0..<60 {
            var hit: Set<Int> = []
            for _ in 0...Int(random.next() % 4) {
                let path = topic.segments[Int(random.next() % UInt64(topic.segments.count))]
                let size = try Files.size(path) - SegmentHeader.byteCount
                let start = SegmentHeader.byteCount + Int(random.next() % UInt64(size))
                let length = min([1, 8, 512][Int(random.next() % 3)], size + 128 - start)
                let isNoise = random.next() % 2 == 0
                let bytes = (0..<length).map { _ in isNoise ? UInt8(random.next() & 0xFF) : 0 }
                try FileHandle(path, .readWrite).write(bytes, at: start)
            }
            for index in topic.batches.indices {
                let batch = topic.batches[index]
                let now = try Damage.content(batch.path)
                if now[batch.covered] != (whole[batch.path] ?? [])[batch.covered] {
                    hit.insert(index)
                }
            }
            let kept = topic.batches.indices.filter { !hit.contains($0) }.flatMap {
                Array(topic.batches[$0].offsets)
            }
            let found = try topic.verify()
            #expect(found.counts.rows == UInt64(kept.count), "turn \(turn)")
            #expect(found.counts.batches == topic.batches.count - hit.count, "turn \(turn)")
            // Each damaged batch lies in the bytes of a fault of its file.
            for index in hit {
                let batch = topic.batches[index]
                let isNamed = found.faults.contains {
                    $0.path == batch.path && $0.lostBytes?.contains(batch.at) == true
                }
                #expect(isNamed, "turn \(turn)")
                let isListed = found.faults.contains { fault in
                    fault.lostOffsets.map { $0.clamped(to: batch.offsets) == batch.offsets }
                        ?? false
                }
                #expect(isListed || batch.offsets.isEmpty, "turn \(turn)")
            }
            if turn % 4 == 0 { try topic.expectSalvage(keeps: kept, "turn \(turn)") }
            for (path, bytes) in whole { try Damage.overwrite(path, with: bytes) }
        }
    }
}
