import MillraceSystem
import Testing

@testable import MillraceLog

/// Headers that no writer made, with checksums that fit.
@Suite struct HeaderFuzzTests {
    /// A batch of each kind as its file holds it.
    private static func batches() throws -> [[UInt8]] {
        let features = try TopicFixture(.features, features: 2, label: true)
        var writer = try features.topic.writer(partition: 0)
        var builder = BatchBuilder(columns: 2)
        for index in 0..<9 {
            var row = builder.nextRow()
            row[0] = 1
            row[1] = 2
            builder.commitRow(label: 1, sourceDelta: UInt32(index), mark: 3)
        }
        builder.drop(sourceDelta: 4, reason: 5)
        builder.origin = BatchOrigin()
        try writer.append(&builder)

        let bytes = try TopicFixture(.bytes)
        var second = try bytes.topic.writer(partition: 0)
        try Rows.append(9, to: &second)
        let packed = try TopicFixture(.bytes, codec: .lz4)
        var third = try packed.topic.writer(partition: 0)
        var long = BatchBuilder()
        for _ in 0..<30 { long.append(value: "again and again".utf8) }
        try third.append(&long)
        return try [features, bytes, packed].map {
            Array(try Damage.content($0.newest())[SegmentHeader.byteCount...])
        } + [narrow(), rich()]
    }

    /// Narrow elements, split and compressed.
    private static func narrow() throws -> [UInt8] {
        var encoder = BatchEncoder(
            configuration: TopicConfiguration(
                kind: .features, features: 4, filter: .split, elementType: .float16))
        var builder = BatchBuilder(columns: 4)
        var rows = builder.addRows(60)
        for index in 0..<240 { rows[index] = Float(index % 4) }
        return try bytes(&encoder, &builder)
    }

    /// Values with times, keys and headers.
    private static func rich() throws -> [UInt8] {
        var encoder = BatchEncoder(
            configuration: TopicConfiguration(kind: .bytes, codec: .none))
        var builder = BatchBuilder()
        let value: [UInt8] = [1, 2, 3]
        for row in 0..<10 {
            builder.append(
                value: value.span, key: value.span, timestamp: Int64(row),
                headers: [RowHeader("name", value)])
        }
        return try bytes(&encoder, &builder)
    }

    private static func bytes(
        _ encoder: inout BatchEncoder, _ builder: inout BatchBuilder
    ) throws -> [UInt8] {
        let stored = try StoredBatch(&encoder, &builder)
        return (0..<stored.byteCount).map { stored.bytes.load($0) }
    }

    /// Changes one to four places of the header and makes its checksum right again.
    private static func mutate(_ batch: inout [UInt8], _ random: inout SplitMix64) {
        let widths = [1, 2, 4, 8]
        let interesting: [UInt64] = [
            0, 1, 2, 4, 63, 64, 128, 256, 1 << 20, 1 << 30, (1 << 30) + 1, 1 << 31, 1 << 32,
            1 << 48, 1 << 62, 1 << 63, .max, .max - 1,
        ]
        for _ in 0...Int(random.next() % 4) {
            let width = widths[Int(random.next() % 4)]
            // Fields lie at multiples of their width; the checksum ends at byte 12.
            let first = (12 + width - 1) / width
            let at = (first + Int(random.next() % UInt64(256 / width - first))) * width
            guard at + width <= min(batch.count, 256) else { continue }
            let value =
                switch random.next() % 3 {
                case 0: interesting[Int(random.next() % UInt64(interesting.count))]
                case 1: random.next()
                default:
                    (0..<width).reduce(0) { $0 | UInt64(batch[at + $1]) << UInt64(8 * $1) }
                        ^ 1 << (random.next() % UInt64(8 * width))
                }
            for byte in 0..<width { batch[at + byte] = UInt8(value >> UInt64(8 * byte) & 0xFF) }
        }
        if random.next() % 16 == 0 { batch[6] = random.next() % 2 == 0 ? 0x80 : 0 }
        if random.next() % 16 == 0 { batch[7] = UInt8(random.next() % 2) }
        fixChecksum(&batch)
    }

    private static func fixChecksum(_ batch: inout [UInt8]) {
        let length = min(Int(batch[6]) | Int(batch[7]) << 8, batch.count)
        guard length > 12 else { return }
        let checksum = CRC32C.checksum(unsafe batch.span.bytes.extracting(12..<length))
        for byte in 0..<4 { batch[8 + byte] = UInt8(checksum >> UInt32(8 * byte) & 0xFF) }
    }

    @Test func sectionsLieInside() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("header fuzz seed \(seed)")
        var random = SplitMix64(seed: seed)
        let originals = try Self.batches()
        var accepted = 0
        var batch: [UInt8] = []
        for turn in 0..<200_000 {
            batch = originals[turn % originals.count]
            Self.mutate(&batch, &random)
            let bytes = unsafe batch.span.bytes
            do throws(BatchHeaderFault) {
                let header = try BatchHeader(bytes)
                accepted += 1
                Self.check(header, bytes)
            } catch {
                guard error.byte >= 0, error.byte < 256 else {
                    Issue.record("byte \(error.byte), seed \(seed), turn \(turn)")
                    return
                }
            }
        }
        // Identities, times and sequence numbers may have any value.
        #expect(accepted > 10_000)
        #expect(accepted < 190_000)
    }

    private static func check(_ header: BatchHeader, _ bytes: RawSpan) {
        let layout = PayloadLayout(header)
        let isInside =
            header.headerBytes + header.storedBytes <= header.batchBytes
            && header.batchBytes <= bytes.byteCount && layout.end <= header.decodedBytes
            && layout.valueBytes <= header.decodedBytes
        guard isInside else {
            Issue.record("sections outside the payload: \(header)")
            return
        }
        guard header.attributes.codec == .none else { return }
        let payload = bytes.extracting(
            header.headerBytes..<header.headerBytes + header.storedBytes)
        // Arrays of bytes are not aligned for floats; the reader's memory is.
        var aligned = AlignedBuffer(byteCount: payload.byteCount)
        var target = aligned.mutableBytes
        for index in 0..<payload.byteCount {
            target.store(payload.load(index, as: UInt8.self), at: index)
        }
        var decoder = BatchDecoder(ElementDecoding(type: header.elementType ?? .float32))
        do throws(BatchHeaderFault) {
            let stored = aligned.bytes.extracting(0..<payload.byteCount)
            try decoder.decode(header, stored: stored, verify: false)
            let batch = decoder.batch(stored: stored, skippedRows: 0)
            _ = BatchImage(batch)
            _ = RowDetails(batch)
        } catch {}
    }

    /// The same through the reader, from a file: no accessor traps on a batch that it gave out.
    @Test func readersSurvive() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("reader fuzz seed \(seed)")
        var random = SplitMix64(seed: seed)
        let fixture = try TopicFixture(.bytes)
        do {
            var writer = try fixture.topic.writer(partition: 0)
            var builder = BatchBuilder()
            builder.append(value: [UInt8](repeating: 1, count: 2_000))
            try writer.append(&builder)
        }
        let path = try fixture.newest()
        let original = try Damage.content(path)
        let originals = try Self.batches()
        let file = try FileHandle(path, .readWrite)
        var given = 0
        for turn in 0..<4_000 {
            var batch = originals[turn % originals.count]
            if turn % 2 == 0 {
                // Value ends, sections and LZ4 tokens instead, the payload's checksum made right.
                let header = Int(batch[6]) | Int(batch[7]) << 8
                for _ in 0...2 {
                    let at = header + Int(random.next() % UInt64(batch.count - header))
                    batch[at] = UInt8(random.next() & 0xFF)
                }
                let stored = Int(batch[48]) | Int(batch[49]) << 8
                let sum = CRC32C.checksum(
                    unsafe batch.span.bytes.extracting(header..<header + stored))
                for byte in 0..<4 { batch[12 + byte] = UInt8(sum >> UInt32(8 * byte) & 0xFF) }
                Self.fixChecksum(&batch)
            } else {
                Self.mutate(&batch, &random)
            }
            let rest = original[(SegmentHeader.byteCount + batch.count)...]
            try file.write(batch + rest, at: SegmentHeader.byteCount)
            do throws(LogError) {
                var reader = try fixture.topic.reader(partition: 0)
                if let found = try reader.next() {
                    _ = BatchImage(found)
                    _ = RowDetails(found)
                    given += 1
                }
                try reader.seek(to: 5)
                _ = try reader.next()
            } catch {}
        }
        #expect(given > 100)
    }
}
