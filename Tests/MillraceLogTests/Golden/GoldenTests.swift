import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// The format as it was written down: today's code reads those files and writes the same.
///
/// After a change of the format that is meant, `MILLRACE_GOLDEN=write` makes the files anew; look
/// at the difference, and raise the version of what changed.
@Suite struct GoldenTests {
    private static func path(_ topic: GoldenTopic) -> String {
        Files.parent(of: #filePath) + "/\(topic.name).hex"
    }

    private static func golden(_ topic: GoldenTopic) throws -> HexDump {
        let text = String(decoding: try Damage.content(path(topic)), as: UTF8.self)
        return try #require(HexDump(text))
    }

    private static let isWriting = Environment.text("MILLRACE_GOLDEN") == "write"

    @Test(.enabled(if: isWriting), arguments: GoldenTopic.all)
    func write(_ topic: GoldenTopic) throws {
        try Files.writeDurably(Self.path(topic), Array(topic.written().text.utf8))
    }

    @Test(.enabled(if: !isWriting), arguments: GoldenTopic.all)
    func areWrittenTheSame(_ topic: GoldenTopic) throws {
        let golden = try Self.golden(topic)
        let written = try topic.written()
        guard topic.isCompressed else {
            #expect(written.difference(from: golden) == nil)
            return
        }
        // How well LZ4 compresses, and so where batches begin, its next version may change.
        for name in ["topic.json", "dictionary"] { #expect(written[name] == golden[name]) }
        #expect(written["segment"]?.prefix(128) == golden["segment"]?.prefix(128))
    }

    /// A data directory made of the golden files.
    private static func open(_ topic: GoldenTopic, _ place: TemporaryDirectory) throws -> Topic {
        let golden = try golden(topic)
        let directory = place.file("topics/\(topic.name)")
        let inside = directory + "/" + GoldenTopic.folder
        try Files.createDirectory(inside + "/0")
        try Files.writeDurably(place.file("format"), Array("millrace data, format 3\n".utf8))
        try Files.writeDurably(directory + "/topic.json", #require(golden["topic.json"]))
        try Files.writeDurably(inside + "/dictionary", #require(golden["dictionary"]))
        let segment = inside + "/0/00000000000000000000-00001"
        try Files.writeDurably(inside + "/0/control", #require(golden["control"]))
        try Files.writeDurably(segment + ".log", #require(golden["segment"]))
        try Files.writeDurably(segment + ".index", #require(golden["index"]))
        return try DataDirectory(place.path, create: false).topic(topic.name)
    }

    @Test(.enabled(if: !isWriting), arguments: GoldenTopic.all)
    func areRead(_ golden: GoldenTopic) throws {
        let place = try TemporaryDirectory("millrace-golden")
        let topic = try Self.open(golden, place)
        #expect(topic.id == GoldenTopic.id)
        #expect(topic.configuration == golden.configuration)
        for (index, text) in GoldenTopic.texts.enumerated() {
            #expect(try topic.dictionaryText(UInt32(index + 1)) == text)
        }
        var reader = try topic.reader(partition: 0)
        for (number, batch) in golden.batches.enumerated() {
            let wrong = try Self.difference(&reader, golden, number, batch)
            #expect(wrong == nil, "batch \(number)")
        }
        #expect(try reader.nextBatch() == nil)
        #expect(try reader.endOffset == 7)
        try Self.checkLookups(topic, golden)
        // It goes on from there.
        var writer = try topic.writer(partition: 0, producer: "producer")
        #expect(writer.nextOffset == 7)
        #expect(writer.tornBytes == 0)
        #expect(writer.lastSequence == 3)
        var builder = BatchBuilder(columns: golden.configuration.features)
        golden.batches[0].fill(&builder)
        builder.sequence = 4
        #expect(try writer.append(&builder).baseOffset == 7)
        #expect(try reader.nextBatch() == 7)
    }

    /// What is wrong with the reader's next batch.
    private static func difference(
        _ reader: inout PartitionReader, _ golden: GoldenTopic, _ number: Int,
        _ expected: ModelBatch
    ) throws -> String? {
        guard let batch = try reader.next() else { return "missing" }
        if let found = expected.difference(batch, golden.configuration) { return found }
        guard batch.origin == golden.origin(number) else { return "origin" }
        guard batch.epoch == 1, batch.baseOffset == [0, 2, 7][number] else { return "place" }
        guard batch.sequence == UInt64(number + 1) else { return "sequence" }
        guard batch.specification == UInt32(number * 8) else { return "specification" }
        guard batch.appendedAt == GoldenTopic.time + Int64(number) else { return "append time" }
        let isSmaller = batch.storedBytes < batch.decodedBytes + 128
        return isSmaller == (golden.isCompressed && number < 2) ? nil : "size"
    }

    private static func checkLookups(_ topic: Topic, _ golden: GoldenTopic) throws {
        for offset in 0...7 as ClosedRange<UInt64> {
            var reader = try topic.reader(partition: 0, from: offset)
            #expect(try reader.nextBatch() == (offset < 2 ? 0 : offset < 7 ? 2 : nil))
        }
        let time = GoldenTopic.time
        for (time, offset) in [
            (time, 0), (time + 3_500, 4), (time + 4_500, 6), (time + 5_001, nil),
        ]
            as [(Int64, UInt64?)]
        {
            #expect(try topic.offset(partition: 0, atOrAfter: time) == offset)
        }
        let last = try topic.lastOrigin(
            partition: 0, source: "topic:raw#1f", sourcePartition: 3, group: "group")
        #expect(last?.origin == golden.origin(2))
        #expect(last?.sequence == 3)
    }
}
