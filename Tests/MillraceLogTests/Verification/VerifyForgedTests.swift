import MillraceSystem
import Testing

@testable import MillraceLog

/// Batches whose checksums match but that are not what was appended there.
@Suite struct VerifyForgedTests {
    private let topic: DamagedTopic
    /// A batch with rows, in the middle of a segment.
    private let number: Int

    init() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("forged batches seed \(seed)")
        topic = try DamagedTopic(epochs: 2, seed: seed)
        let topic = topic
        number = try #require(
            topic.batches.indices.dropFirst(5).first {
                !topic.batches[$0].offsets.isEmpty && !topic.batches[$0 + 1].offsets.isEmpty
                    && topic.batches[$0 - 1].path == topic.batches[$0 + 1].path
            })
    }

    private var batch: DamagedTopic.Batch { topic.batches[number] }
    private var next: DamagedTopic.Batch { topic.batches[number + 1] }

    /// Changes the header and makes its checksum right again.
    private func forge(_ change: (inout BatchHeader) -> Void) throws {
        var header = batch.header
        change(&header)
        var buffer = AlignedBuffer(byteCount: BatchHeader.fullBytes)
        var bytes = buffer.mutableBytes
        header.encode(into: &bytes)
        try FileHandle(batch.path, .readWrite).write(
            bytes.bytes.extracting(0..<header.headerBytes), at: batch.at)
    }

    /// A batch in the place of another: the chain breaks behind it, no row is lost.
    @Test func anotherBatch() throws {
        try forge { $0.sequence += 1 }
        let found = try topic.verify()
        #expect(found.faults.map(\.path) == [batch.path])
        #expect(found.faults.first?.position == next.at + 16)
        #expect(found.faults.first?.effect == .metadata)
        #expect(found.counts.rows == topic.end)
        try topic.expectSalvage(keeps: Array(0..<topic.end))
    }

    /// The chain leads across segments too.
    @Test func theChainAcrossSegments() throws {
        let first = try #require(
            topic.batches.indices.dropFirst().first {
                topic.batches[$0].path != topic.batches[$0 - 1].path
            })
        var header = topic.batches[first - 1].header
        header.sequence += 1
        var buffer = AlignedBuffer(byteCount: BatchHeader.fullBytes)
        var bytes = buffer.mutableBytes
        header.encode(into: &bytes)
        try FileHandle(topic.batches[first - 1].path, .readWrite).write(
            bytes.bytes.extracting(0..<header.headerBytes), at: topic.batches[first - 1].at)
        let found = try topic.verify()
        #expect(found.faults.map(\.path) == [topic.batches[first].path])
        #expect(found.faults.first?.position == topic.batches[first].at + 16)
    }

    @Test func anotherEpoch() throws {
        try forge { $0.epoch += 1 }
        let found = try topic.verify()
        #expect(found.faults.map(\.position) == [batch.at + 20])
        #expect(found.faults.first?.lostOffsets == batch.offsets)
        try topic.expectSalvage(keeps: topic.offsets { $0.offsets == batch.offsets })
    }

    /// Offsets that were used already are not used for these rows.
    @Test func alreadyUsedOffsets() throws {
        try forge { $0.baseOffset -= 1 }
        let found = try topic.verify()
        #expect(found.faults.map(\.position) == [batch.at + 32])
        #expect(found.faults.first?.lostOffsets == batch.offsets)
        #expect(found.counts.rows == topic.end - UInt64(batch.offsets.count))
        try topic.expectSalvage(keeps: topic.offsets { $0.offsets == batch.offsets })
    }

    /// Offsets that are left out within an epoch are lost rows.
    @Test func aGapWithinAnEpoch() throws {
        try forge {
            $0.baseOffset += 1
            $0.rows -= 1
        }
        let found = try topic.verify()
        let gap = batch.offsets.lowerBound..<batch.offsets.lowerBound + 1
        #expect(found.faults.contains { $0.lostOffsets == gap })
        #expect(found.faults.allSatisfy { $0.path == batch.path } == true)
    }

    @Test func anIDWithoutAText() throws {
        let path = topic.dictionaryPath
        for id in [UInt32(3), 9, .max] {
            try forge { $0.specification = id }
            let faults = try topic.verify().faults
            let named = faults.filter { $0.path == path }
            #expect(named.count == 1)
            #expect(named.first?.expected.contains("id \(id),") == true)
            guard id < .max else { continue }
            let report = try topic.expectSalvage(keeps: Array(0..<topic.end))
            #expect(report.lostDictionaryIDs == Array(3...id))
        }
    }

    /// A producer whose sequence does not grow has been appended twice.
    @Test func aSequenceThatDoesNotGrow() {
        var header = BatchHeader()
        header.rows = 1
        var check = ProgressCheck()
        for (producer, sequence, isRight) in [
            (1, 5, true), (2, 5, true), (1, 6, true), (1, 6, false), (2, 4, false), (0, 1, true),
            (0, 1, true), (1, 9, true),
        ] as [(UInt32, UInt64, Bool)] {
            header.producer = producer
            header.sequence = sequence
            #expect((check.fault(header)?.byte == 112) == !isRight)
        }
    }
}
