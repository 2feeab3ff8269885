import MillraceTestSupport
import Testing

@testable import MillraceLog

/// A reader shows the batch that it has returned last once more, for as long as it has it.
@Suite struct LastBatchTests {
    private static func topic(
        _ codec: Codec, in directory: TemporaryDirectory
    ) throws -> Topic {
        let topic = try DataDirectory(directory.path, create: true).topic(
            "rows",
            creating: TopicConfiguration(
                kind: .features, features: 2, label: true, codec: codec, segmentBytes: 64 << 10))
        var writer = try topic.writer(partition: 0)
        for batch in 0..<60 {
            var builder = BatchBuilder(columns: 2)
            for row in 0..<100 {
                do {
                    var cells = builder.nextRow()
                    cells[0] = Float(batch)
                    cells[1] = Float(row)
                }
                builder.commitRow(label: Float(row % 7))
            }
            try writer.append(&builder)
        }
        try writer.close()
        return topic
    }

    /// What is seen of a batch.
    private struct Seen: Equatable {
        var offset: UInt64
        var rows = 100
        var skipped = 0
        /// Of the last row.
        var cells: [Float]
        var label: Float = 1
    }

    private static func last(_ reader: inout PartitionReader) -> Seen? {
        guard let batch = reader.last() else { return nil }
        let row = batch.rows - 1
        let at = row * batch.stride
        return Seen(
            offset: batch.baseOffset, rows: batch.rows, skipped: batch.skippedRows,
            cells: [batch.matrix[at], batch.matrix[at + 1]], label: batch.labels[row])
    }

    @Test(arguments: [Codec.none, .lz4])
    func isTheOneBefore(_ codec: Codec) throws {
        let directory = try TemporaryDirectory()
        let topic = try Self.topic(codec, in: directory)
        var reader = try topic.reader(partition: 0)
        #expect(Self.last(&reader) == nil)
        try reader.seek(to: 130)
        var number = 1
        while try reader.next() != nil {
            var expected = Seen(offset: UInt64(100 * number), cells: [Float(number), 99])
            if number == 1 { expected.skipped = 30 }
            #expect(Self.last(&reader) == expected)
            #expect(Self.last(&reader) == expected)
            number += 1
        }
        #expect(number == 60)
        #expect(Self.last(&reader) == nil)
    }

    @Test func isForgottenWithItsMemoryAndItsPlace() throws {
        let directory = try TemporaryDirectory()
        var reader = try Self.topic(.lz4, in: directory).reader(partition: 0)
        let memory = DecodingMemory()
        _ = try reader.next()
        reader.exchange(memory)
        #expect(Self.last(&reader) == nil)
        _ = try reader.next()
        try reader.seek(to: 0)
        #expect(Self.last(&reader) == nil)
    }
}
