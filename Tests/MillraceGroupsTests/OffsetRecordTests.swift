import MillraceSystem
import Testing

import MillraceGroups

@Suite("Offset records")
struct OffsetRecordTests {
    private static let example = OffsetRecord(
        sequence: 7, generation: 3, committedAt: 1_357_034_400_000_000_000,
        entries: [
            .init(
                partition: TopicPartition(topic: "flights", partition: 1),
                topicID: 0x1122_3344_5566_7788, next: 258),
            .init(
                partition: TopicPartition(topic: "flüge.raw", partition: 0), topicID: 1,
                next: OffsetRecord.none),
        ])

    static func sealed(_ record: OffsetRecord) -> [UInt8] {
        var bytes = record.unsealed().bytes
        OffsetRecord.seal(&bytes)
        return bytes
    }

    static func random(_ random: inout SplitMix64) -> OffsetRecord {
        OffsetRecord(
            sequence: random.next() >> 1, generation: UInt32(random.next() >> 33),
            committedAt: Int64(bitPattern: random.next()),
            entries: (0..<random.number(in: 0...20)).map { index in
                let topic = String(repeating: "tö-", count: random.number(in: 1...80))
                return OffsetRecord.Entry(
                    partition: TopicPartition(topic: topic, partition: index),
                    topicID: random.next(), next: random.next())
            })
    }

    /// The documented table, field by field.
    @Test("Every field lies where the documentation says")
    func layout() {
        let bytes = Self.sealed(Self.example)
        var expected: [UInt8] = Array("MLRGOFFS".utf8)
        expected += Array(bytes[8..<12])  // the checksum, see below
        expected += [136, 0, 0, 0]  // length: 64 + (24 + 8) + (24 + 16)
        expected += [1, 0, 0, 0]  // version and zero
        expected += [2, 0, 0, 0]  // entries
        expected += [7, 0, 0, 0, 0, 0, 0, 0]  // sequence
        expected += [3, 0, 0, 0, 0, 0, 0, 0]  // generation and zero
        expected += [0x00, 0x40, 0xFC, 0xCF, 0x98, 0x27, 0xD5, 0x12]  // time
        expected += [UInt8](repeating: 0, count: 16)
        expected += [2, 1, 0, 0, 0, 0, 0, 0]  // next offset
        expected += [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]  // topic id
        expected += [1, 0, 0, 0, 7, 0, 0, 0]  // partition, length of the name, zero
        expected += Array("flights".utf8) + [0]
        expected += [UInt8](repeating: 0xFF, count: 8)
        expected += [1, 0, 0, 0, 0, 0, 0, 0]
        expected += [0, 0, 0, 0, 10, 0, 0, 0]
        expected += Array("flüge.raw".utf8) + [UInt8](repeating: 0, count: 6)
        #expect(bytes == expected)
        #expect(
            LittleEndian.load(bytes.span, at: 8, as: UInt32.self)
                == CRC32C.checksum(unsafe bytes.span.bytes.extracting(12...)))
    }

    @Test("What is written reads back", arguments: Seeds.all)
    func roundTrip(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<30 {
            let record = Self.random(&random)
            let slot = Self.sealed(record) + [UInt8](repeating: 0xA5, count: 100)
            #expect(OffsetRecord.parse(slot.span) == .record(record))
        }
    }

    @Test("A record cut short anywhere is damaged, whatever follows")
    func truncation() {
        let bytes = Self.sealed(Self.example)
        for length in 0..<bytes.count {
            let slot = bytes[..<length] + [UInt8](repeating: 0xA5, count: 200 - length)
            #expect(OffsetRecord.parse(Array(slot).span).isDamaged, "\(length) bytes")
            #expect(OffsetRecord.parse(Array(bytes[..<length]).span).isDamaged, "\(length) bytes")
        }
    }

    @Test("Zeros are a slot that was never written")
    func unwritten() {
        let slot = [UInt8](repeating: 0, count: 4096)
        #expect(OffsetRecord.parse(slot.span) == .unwritten)
    }

    @Test("A flipped bit anywhere is damage")
    func flips() {
        let bytes = Self.sealed(Self.example)
        for bit in 0..<bytes.count * 8 {
            var slot = bytes
            slot[bit / 8] ^= 1 << (bit % 8)
            #expect(OffsetRecord.parse(slot.span).isDamaged, "bit \(bit)")
        }
    }

    @Test("Any bytes, with a right checksum too, are read or refused", arguments: Seeds.all)
    func anyBytes(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<500 {
            var slot = Self.sealed(Self.random(&random))
            for _ in 0..<random.number(in: 1...4) {
                let index = random.number(in: 16...slot.count - 1)
                slot[index] = UInt8(truncatingIfNeeded: random.next() & random.next())
            }
            OffsetRecord.seal(&slot)
            if case .record(let record) = OffsetRecord.parse(slot.span) {
                #expect(record.byteCount == slot.count)
            }
        }
    }

    @Test("Damage is named with its place")
    func places() {
        func damage(_ position: Int, _ value: [UInt8], reseal: Bool = true) -> Int? {
            var slot = Self.sealed(Self.example)
            slot.replaceSubrange(position..<position + value.count, with: value)
            if reseal { OffsetRecord.seal(&slot) }
            guard case .damaged(let damage) = OffsetRecord.parse(slot.span) else { return nil }
            return damage.byte
        }
        #expect(damage(3, [0], reseal: false) == 0)
        #expect(damage(12, [63]) == 12)
        #expect(damage(12, [255, 255, 255, 255]) == 12)
        #expect(damage(70, [1], reseal: false) == 8)
        #expect(damage(16, [0]) == 16)
        #expect(damage(20, [1]) == 20)
        #expect(damage(20, [3]) == 136)
        #expect(damage(24, [UInt8](repeating: 255, count: 8)) == 24)
        #expect(damage(32, [UInt8](repeating: 255, count: 4)) == 32)
        #expect(damage(84, [0, 0]) == 84)
        #expect(damage(84, [255, 255]) == 84)
        #expect(damage(88, [0xC0]) == 88)
    }

    @Test("A later version is told from damage")
    func laterVersion() {
        var slot = Self.sealed(Self.example)
        slot[16] = 2
        OffsetRecord.seal(&slot)
        #expect(OffsetRecord.parse(slot.span) == .laterVersion(2))
    }
}

extension OffsetRecord.Slot {
    var isDamaged: Bool { if case .damaged = self { true } else { false } }
}
