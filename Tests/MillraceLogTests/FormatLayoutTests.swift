import MillraceSystem
import Testing

@testable import MillraceLog

/// The files, byte by byte, against the tables in the documentation of the format.
@Suite struct FormatLayoutTests {
    @Test func segment() throws {
        let fixture = try TopicFixture()
        let before = Clock.wallNanoseconds()
        var writer = try fixture.topic.writer(partition: 0)
        try Rows.append(1, to: &writer)
        let path = try fixture.newest()
        #expect(path.hasSuffix("/00000000000000000000-00001.log"))
        let bytes = try Damage.content(path)
        #expect(Array(bytes[0..<8]) == Array("MLRSEGM1".utf8))
        #expect(FormatBytes.u32(bytes, 8) == 2)
        #expect(FormatBytes.u32(bytes, 12) == FormatBytes.checksum(bytes, 16..<128))
        #expect(FormatBytes.u64(bytes, 16) == fixture.topic.id)
        #expect(FormatBytes.u32(bytes, 24) == 0)
        #expect(FormatBytes.u32(bytes, 28) == 1)
        #expect(FormatBytes.u64(bytes, 32) == 0)
        #expect(FormatBytes.u64(bytes, 40) == 0)
        #expect((before...Clock.wallNanoseconds()).contains(Int64(FormatBytes.u64(bytes, 48))))
        #expect(bytes[56..<128].allSatisfy { $0 == 0 })
    }

    /// Files are allocated ahead; what lies behind the published end is zero until it is cut off.
    @Test func segmentsAreAllocatedAhead() throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        try Rows.append(1, to: &writer)
        let used = try fixture.usedBytes()
        let bytes = try Damage.content(fixture.newest())
        #expect(bytes.count == 128 + 1 << 16)
        #expect(bytes[used...].allSatisfy { $0 == 0 })
        try writer.close()
        #expect(try Damage.content(fixture.newest()) == Array(bytes[..<used]))
    }

    @Test func segmentOfALaterEpoch() throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        for _ in 0..<3 { try Rows.append(10, to: &writer) }
        let end = try fixture.control().publishedValue().position
        try fixture.killOwner()
        try Rows.append(1, to: &writer)
        let path = try fixture.newest()
        let digits = String(end)
        let zeros = String(repeating: "0", count: 20 - digits.count)
        #expect(path.hasSuffix("/\(zeros)\(digits)-00002.log"))
        let bytes = try Damage.content(path)
        #expect(FormatBytes.u32(bytes, 28) == 2)
        #expect(FormatBytes.u64(bytes, 32) == 30)
        #expect(FormatBytes.u64(bytes, 40) == end)
        #expect(FormatBytes.u32(bytes, 128 + 20) == 2)
    }

    /// A stored batch with every section and an origin.
    @Test func storedBatch() throws {
        let fixture = try TopicFixture(.features, features: 3, label: true)
        var writer = try fixture.topic.writer(partition: 0)
        var first = BatchBuilder(columns: 3)
        Self.fill(&first, rows: 1, columns: 3)
        try writer.append(&first)
        var builder = BatchBuilder(columns: 3)
        Self.fill(&builder, rows: 20, columns: 3)
        for index in 0..<20 {
            builder.addMark(UInt8(index))
            builder.addSourceDelta(UInt32(index + 100))
        }
        builder.drop(sourceDelta: 7, reason: 8)
        builder.origin = BatchOrigin()
        builder.origin?.begin = 1_000
        builder.origin?.end = 2_000
        builder.specification = 11
        builder.sequence = 12
        builder.timestamp = 13
        try writer.append(&builder)

        let file = try fixture.usedContent()
        let start = 128 + Int(FormatBytes.u64(file, 128 + 24))
        let batch = Array(file[start...])
        #expect(start % 64 == 0)
        Self.checkHeader(batch, previous: FormatBytes.u32(file, 128 + 8))
        #expect(FormatBytes.u32(batch, 44) == 0b10_1111_0000_0000)
        // Sections start at multiples of 64: 240 bytes of matrix, 80 of labels, 20 of marks, 80 of
        // deltas, 8 of drops.
        #expect(FormatBytes.u64(batch, 48) == 584)
        #expect(FormatBytes.u64(batch, 56) == 584)
        #expect(FormatBytes.u64(batch, 24) == UInt64(batch.count))
        #expect(batch.count == 256 + 640)
        let payload = Array(batch[256...])
        for row in 0..<20 {
            for column in 0..<3 {
                let bits = UInt64(Float(row * 10 + column).bitPattern)
                #expect(FormatBytes.u32(payload, row * 12 + column * 4) == bits)
            }
            #expect(FormatBytes.u32(payload, 256 + row * 4) == UInt64(Float(-row).bitPattern))
            #expect(payload[384 + row] == UInt8(row))
            #expect(FormatBytes.u32(payload, 448 + row * 4) == UInt64(row + 100))
        }
        #expect(FormatBytes.u32(payload, 576) == 7)
        #expect(FormatBytes.u32(payload, 580) == 8)
        #expect(payload[584...].allSatisfy { $0 == 0 })
    }

    private static func fill(_ builder: inout BatchBuilder, rows: Int, columns: Int) {
        for row in 0..<rows {
            var target = builder.nextRow()
            for column in 0..<columns { target[column] = Float(row * 10 + column) }
            builder.commitRow(label: Float(-row))
        }
    }

    private static func checkHeader(_ batch: [UInt8], previous: UInt64) {
        #expect(Array(batch[0..<4]) == Array("MLRB".utf8))
        #expect(FormatBytes.u16(batch, 4) == 2)
        #expect(FormatBytes.u16(batch, 6) == 256)
        #expect(FormatBytes.u32(batch, 8) == FormatBytes.checksum(batch, 12..<256))
        #expect(FormatBytes.u32(batch, 12) == FormatBytes.checksum(batch, 256..<256 + 584))
        #expect(FormatBytes.u32(batch, 16) == previous)
        #expect(FormatBytes.u32(batch, 20) == 1)
        #expect(FormatBytes.u64(batch, 32) == 1)
        #expect(FormatBytes.u32(batch, 40) == 20)
        #expect(FormatBytes.u64(batch, 64) == 13)
        #expect(FormatBytes.u64(batch, 72) == 13)
        #expect(FormatBytes.u64(batch, 80) > 1_600_000_000_000_000_000)
        #expect(FormatBytes.u32(batch, 88) == 11)
        #expect(FormatBytes.u32(batch, 92) == 3)
        #expect(FormatBytes.u32(batch, 96) == 12)
        #expect(batch[100] == 1)
        #expect(batch[101..<104].allSatisfy { $0 == 0 })
        #expect(FormatBytes.u32(batch, 104) == 0)
        #expect(FormatBytes.u32(batch, 108) == 1)
        #expect(FormatBytes.u64(batch, 112) == 12)
        #expect(FormatBytes.u64(batch, 120) == 0)
        #expect(FormatBytes.u64(batch, 144) == 1_000)
        #expect(FormatBytes.u64(batch, 152) == 2_000)
        #expect(batch[200..<256].allSatisfy { $0 == 0 })
    }

    /// Each field of the origin has the place that the table gives it.
    @Test func origin() {
        let narrow: [(offset: Int, path: WritableKeyPath<BatchOrigin, UInt32>)] = [
            (128, \.group), (132, \.source), (136, \.sourcePartition), (140, \.generation),
            (160, \.sourceEpoch), (164, \.model), (176, \.kernelSet), (180, \.textChecksum),
        ]
        let wide: [(offset: Int, path: WritableKeyPath<BatchOrigin, UInt64>)] = [
            (144, \.begin), (152, \.end), (168, \.modelVersion), (184, \.beginLine),
            (192, \.endLine),
        ]
        func encoded(_ origin: BatchOrigin) -> [UInt8] {
            var buffer = AlignedBuffer(byteCount: 256)
            var bytes = buffer.mutableBytes
            origin.encode(into: &bytes)
            let view = bytes.bytes
            #expect(BatchOrigin(view) == origin)
            return (0..<256).map { view.load($0, as: UInt8.self) }
        }
        func check(_ origin: BatchOrigin, _ offset: Int, _ pattern: [UInt8]) {
            let bytes = encoded(origin)
            let range = offset..<offset + pattern.count
            #expect(Array(bytes[range]) == pattern)
            #expect(bytes.indices.allSatisfy { range.contains($0) || bytes[$0] == 0 })
        }
        for (offset, path) in narrow {
            var origin = BatchOrigin()
            origin[keyPath: path] = 0x0403_0201
            check(origin, offset, [1, 2, 3, 4])
        }
        for (offset, path) in wide {
            var origin = BatchOrigin()
            origin[keyPath: path] = 0x0807_0605_0403_0201
            check(origin, offset, [1, 2, 3, 4, 5, 6, 7, 8])
        }
    }

    /// Byte topics: ends as u32 a row, then the bytes.
    @Test func byteBatch() throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        var builder = BatchBuilder()
        for value in ["ab", "", "cde"] { builder.append(value: value.utf8) }
        try writer.append(&builder)
        let batch = Array(try fixture.usedContent()[128...])
        #expect(FormatBytes.u16(batch, 6) == 128)
        #expect(FormatBytes.u32(batch, 44) == 1 << 12)
        #expect(FormatBytes.u64(batch, 48) == 69)
        #expect(FormatBytes.u32(batch, 92) == 0)
        #expect(batch[100] == 0)
        #expect(batch.count == 256)
        #expect([128, 132, 136].map { FormatBytes.u32(batch, $0) } == [2, 2, 5])
        #expect(batch[140..<192].allSatisfy { $0 == 0 })
        #expect(Array(batch[192..<197]) == Array("abcde".utf8))
        #expect(batch[197...].allSatisfy { $0 == 0 })
    }

    /// Times, keys and headers of rows, before the values.
    @Test func rowSections() throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        var builder = BatchBuilder()
        let key: [UInt8] = [7, 8]
        let value: [UInt8] = [1, 2, 3]
        builder.append(value: value.span, timestamp: 20)
        builder.append(value: value.span, key: key.span, timestamp: -1)
        builder.append(
            value: value.span, timestamp: 10, headers: [RowHeader("é", [9]), RowHeader("b", [])])
        try writer.append(&builder)
        let batch = Array(try fixture.usedContent()[128...])
        #expect(FormatBytes.u32(batch, 44) == 0b1_1101_0000_0000_0000)
        #expect(FormatBytes.u64(batch, 64) == 20)
        #expect(FormatBytes.u64(batch, 72) == 20)
        let payload = Array(batch[128...])
        #expect(FormatBytes.u64(payload, 0) == 20)
        #expect(FormatBytes.u64(payload, 8) == .max)
        #expect(FormatBytes.u64(payload, 16) == 10)
        #expect([64, 68, 72].map { FormatBytes.u32(payload, $0) } == [1 << 31, 2, 1 << 31 | 2])
        #expect(Array(payload[128..<130]) == key)
        #expect([192, 196, 200].map { FormatBytes.u32(payload, $0) } == [0, 0, 16])
        let headers: [UInt8] = [2, 0, 1, 0, 0, 0, 0xC3, 0xA9, 9, 1, 0, 0, 0, 0, 0, 0x62]
        #expect(Array(payload[256..<272]) == headers)
        #expect([320, 324, 328].map { FormatBytes.u32(payload, $0) } == [3, 6, 9])
        #expect(Array(payload[384..<393]) == value + value + value)
        #expect(FormatBytes.u64(batch, 56) == 393)
    }

    /// The numbers of element types and of the filter, and how the elements lie.
    @Test(arguments: zip(ElementType.allCases, [1, 2, 3, 4, 5] as [UInt8]))
    func elements(_ type: ElementType, code: UInt8) throws {
        let topic = TopicConfiguration(
            kind: .features, features: 2, codec: .none, elementType: type)
        var encoder = BatchEncoder(configuration: topic)
        var builder = BatchBuilder(columns: 2)
        var row = builder.nextRow()
        row[0] = 1
        row[1] = 2
        builder.commitRow()
        let stored = try StoredBatch(&encoder, &builder)
        let batch = (0..<stored.byteCount).map { stored.bytes.load($0, as: UInt8.self) }
        #expect(batch[100] == code)
        #expect(FormatBytes.u32(batch, 96) == UInt64(2 * type.byteCount))
        let expected: [UInt8] =
            switch type {
            case .float32: [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]
            case .float16: [0, 0x3C, 0, 0x40]
            case .bfloat16: [0x80, 0x3F, 0, 0x40]
            case .uint8, .int8: [1, 2]
            }
        #expect(Array(batch[128..<128 + expected.count]) == expected)
        #expect(FormatBytes.u64(batch, 48) == UInt64(expected.count))
    }

    @Test func splitMatrix() throws {
        let topic = TopicConfiguration(kind: .features, features: 64, codec: .lz4, filter: .split)
        var encoder = BatchEncoder(configuration: topic)
        var builder = BatchBuilder(columns: 64)
        var rows = builder.addRows(2)
        for index in 0..<128 { rows[index] = Float(bitPattern: 0x0403_0201) }
        let stored = try StoredBatch(&encoder, &builder)
        let batch = (0..<stored.byteCount).map { stored.bytes.load($0, as: UInt8.self) }
        #expect(FormatBytes.u32(batch, 44) == 0x11)
        var decoded = AlignedBuffer(byteCount: 512)
        var memory = decoded.mutableBytes
        var target = memory._mutatingExtracting(0..<512)
        let block = stored.bytes.extracting(128..<128 + Int(FormatBytes.u64(batch, 48)))
        #expect(LZ4Block.decompress(block, into: &target) == 512)
        let bytes = (0..<512).map { decoded.bytes.load($0, as: UInt8.self) }
        #expect(bytes.indices.allSatisfy { Int(bytes[$0]) == $0 / 128 + 1 })
    }
}
