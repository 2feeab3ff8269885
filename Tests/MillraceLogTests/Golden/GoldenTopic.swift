import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// A topic whose files are known to the byte.
struct GoldenTopic: Sendable, CustomTestStringConvertible {
    let name: String
    let configuration: TopicConfiguration

    var testDescription: String { name }

    static let id: UInt64 = 0x0123_4567_89AB_CDEF
    /// The directory that carries the id.
    static let folder = "0123456789abcdef"
    static let time: Int64 = 1_700_000_000_000_000_000
    static let texts = ["group", "topic:raw#1f", "producer", "model", "kernels, grün"]

    /// One for each element type, with all sections of a matrix; one of bytes, with all of theirs;
    /// one that is compressed and filtered.
    static let all: [GoldenTopic] =
        ElementType.allCases.map { type in
            GoldenTopic(
                name: type.rawValue,
                configuration: TopicConfiguration(
                    partitions: 1, kind: .features, features: 3, label: true, codec: .none,
                    elementType: type, scale: type.byteCount == 1 ? 0.5 : 1,
                    zeroPoint: type == .uint8 ? 7 : 0, segmentBytes: 1 << 16,
                    segmentMilliseconds: 60_000, flush: .interval(milliseconds: 20),
                    retention: RetentionPolicy(
                        bytes: 1 << 30, milliseconds: 1 << 40, heldBytes: 1 << 31)))
        } + [
            GoldenTopic(
                name: "bytes",
                configuration: TopicConfiguration(
                    kind: .bytes, codec: .none, segmentBytes: 1 << 20, flush: .batch)),
            GoldenTopic(
                name: "compressed",
                configuration: TopicConfiguration(
                    kind: .features, features: 16, codec: .lz4, level: 9, filter: .split)),
        ]

    /// Whether another version of the compressor may give other bytes.
    var isCompressed: Bool { configuration.codec == .lz4 }

    /// What its three batches hold: little, everything, and no rows at all.
    var batches: [ModelBatch] {
        let columns = configuration.features
        var little = ModelBatch(rows: 2, columns: columns)
        little.matrix = (0..<2 * columns).map { Float($0) / 2 }
        if columns == 0 { little.values = [[0, 255], []] }
        var all = ModelBatch(rows: 5, columns: columns)
        all.matrix = (0..<5 * columns).map { Float($0 % 7) - 2.5 }
        if columns == 0 { all.values = ["", "a", "bc", "def", ""].map { Array($0.utf8) } }
        if configuration.label { all.labels = [1, 2, .infinity, -0.5, 0] }
        all.timestamps = [3, 1, 4, -1, 5].map { Self.time + $0 * 1_000 }
        all.marks = [0, 1, 2, 0, 255]
        all.deltas = [0, 1, 5, 6, 7]
        all.drops = [[2, 10], [3, 11], [4, 12]]
        all.keys = [[1, 2, 3], nil, [], [9], nil]
        all.headers = [
            [], [RowHeader("é", [1])], [], [RowHeader("a", []), RowHeader("a", [2, 3])], [],
        ]
        return [little, all, ModelBatch(rows: 0, columns: 0)]
    }

    /// The origin of batch `number`.
    func origin(_ number: Int) -> BatchOrigin? {
        if number == 0 { return nil }
        var origin = BatchOrigin()
        origin.group = 1
        origin.source = 2
        origin.sourcePartition = 3
        origin.generation = 4
        origin.end = UInt64(number + 1) * 100
        origin.sourceEpoch = 5
        origin.model = 4
        origin.modelVersion = 6
        origin.kernelSet = 5
        origin.textChecksum = 0xDEAD_BEEF
        origin.beginLine = 7
        origin.endLine = 1 << 40
        return origin
    }

    /// The topic's files as the code of today writes them.
    func written() throws -> HexDump {
        let place = try TemporaryDirectory("millrace-golden")
        var dump = HexDump()
        let description = TopicDescription(id: Self.id, configuration: configuration)
        dump.add("topic.json", try description.json())
        try Files.writeDurably(place.file("dictionary"), [])
        let dictionary = TopicDictionary(path: place.file("dictionary"))
        for text in Self.texts { _ = try dictionary.id(of: text) }
        dump.add("dictionary", try Damage.content(place.file("dictionary")))
        let (segment, end) = try segment(indexAt: place.path + "/s.log")
        try ControlPage.create(
            place.file("control"), topicID: Self.id, partition: 0,
            at: PublishedWord(epoch: 1, position: end), offset: 7, startOffset: 0,
            ceiling: 7)
        dump.add("control", try Damage.content(place.file("control")))
        dump.add("segment", segment)
        dump.add("index", try Damage.content(place.file("s.index")))
        return dump
    }

    private func segment(indexAt path: String) throws -> (bytes: [UInt8], end: UInt64) {
        var header = SegmentHeader(
            topicID: Self.id, partition: 0, epoch: 1, baseOffset: 0, basePosition: 0)
        header.createdAt = Self.time
        var bytes = header.encoded()
        var index = SegmentIndexWriter(
            segmentPath: path, header: header, priorMaxTimestamp: .min)
        var encoder = BatchEncoder(configuration: configuration)
        var cursor = LogCursor(at: header, producer: 0)
        for (number, batch) in batches.enumerated() {
            var builder = BatchBuilder(columns: batch.columns)
            batch.fill(&builder)
            builder.origin = origin(number)
            builder.specification = UInt32(number * 8)
            builder.sequence = UInt64(number + 1)
            try encoder.prepare(&builder)
            encoder.header.baseOffset = cursor.offset
            encoder.header.epoch = 1
            encoder.header.previousChecksum = cursor.checksum
            encoder.header.durable = number == 2 ? cursor.position : 0
            encoder.header.appendedAt = Self.time + Int64(number)
            encoder.header.producer = 3
            encoder.encode(&builder)
            let header = encoder.header
            let made = encoder.batch(of: builder)
            for byte in 0..<made.byteCount { bytes.append(made.load(byte)) }
            index.note(header, at: cursor.position, maxTimestampBefore: cursor.maxTimestamp)
            cursor.pass(header)
        }
        return (bytes, cursor.position)
    }
}
