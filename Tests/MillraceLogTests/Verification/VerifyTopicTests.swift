import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// The files above the partitions, what batches say of them, and content made to mislead.
@Suite struct VerifyTopicTests {
    private static func topic(_ what: String) throws -> DamagedTopic {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("\(what) seed \(seed)")
        return try DamagedTopic(epochs: 2, batches: 20, seed: seed)
    }

    @Test func everyBitOfTheDictionary() throws {
        let topic = try Self.topic("dictionary")
        for text in ["model:m", "kernels"] { _ = try topic.fixture.topic.dictionaryID(of: text) }
        let path = topic.dictionaryPath
        let texts = DictionaryScan(path: path).texts
        #expect(texts.count == 4)
        for bit in 0..<(try Files.size(path)) * 8 {
            try Damage.flip(path, bit: bit)
            let found = try topic.verify()
            #expect(found.faults.map(\.path) == [path], "bit \(bit)")
            #expect(found.notes == [], "bit \(bit)")
            #expect(found.counts.rows == topic.end)
            // No text is taken for another; one is lost at most.
            let scan = DictionaryScan(path: path)
            #expect(scan.texts.count == 4)
            let isRight = zip(scan.texts, texts).filter { $0 == $1 }
            #expect(isRight.count >= 3 && scan.texts.filter { $0 == nil }.count <= 1)
            if bit % 61 == 0 {
                let report = try topic.expectSalvage(keeps: Array(0..<topic.end), "bit \(bit)")
                #expect(report.lostDictionaryIDs.count <= 4)
            }
            try Damage.flip(path, bit: bit)
        }
        #expect(try topic.verify().isIntact == true)
    }

    /// Texts keep their ids in a salvaged topic, and a lost one is not another's.
    @Test func aSalvagedDictionary() throws {
        let topic = try Self.topic("salvaged dictionary")
        let texts = (0..<6).map { "text \($0)" }
        for text in texts { _ = try topic.fixture.topic.dictionaryID(of: text) }
        let path = topic.dictionaryPath
        // A text, whose record can still be counted, and a length, whose text is proven.
        let start = 2 * 32
        try Damage.flip(path, bit: (start + 16) * 8)
        try Damage.flip(path, bit: (start + 2 * 32) * 8)
        #expect(try topic.verify().faults.map(\.position) == [start, start + 2 * 32])
        let other = try TemporaryDirectory("millrace-salvage")
        let target = try DataDirectory(other.path, create: true)
        let report = try topic.data.salvageTopic("rows", into: target)
        #expect(report.lostDictionaryIDs == [3])
        let copy = try target.topic("rows")
        #expect(copy.id == topic.fixture.topic.id)
        #expect(try copy.dictionaryText(3) == DictionaryScan.placeholder(3))
        for (index, text) in texts.enumerated() where index != 0 {
            #expect(try copy.dictionaryText(UInt32(3 + index)) == text)
        }
        #expect(try copy.dictionaryID(of: texts[0]) == 9)
        let again = logErrorCode { () throws(LogError) in
            _ = try DataDirectory(topic.fixture.directory.path, create: false)
                .salvageTopic("rows", into: target)
        }
        #expect(again == .alreadyExists)
    }

    /// The dictionary is gone: ids that batches name are missed, and have placeholders in a copy.
    @Test func aLostDictionary() throws {
        let topic = try Self.topic("lost dictionary")
        let path = topic.dictionaryPath
        try Damage.truncate(path, to: 0)
        let found = try topic.verify()
        #expect(found.faults.map(\.path) == [path, path])
        #expect(try topic.expectSalvage(keeps: Array(0..<topic.end)).lostDictionaryIDs == [1, 2])
        try Files.remove(path)
        #expect(try topic.verify().faults.map(\.path) == [path])
        try topic.expectSalvage(keeps: Array(0..<topic.end))
    }

    @Test func everyBitOfTheDescription() throws {
        let topic = try Self.topic("description")
        let path = topic.topicPath + "/topic.json"
        let configuration = topic.fixture.topic.configuration
        for bit in 0..<(try Files.size(path)) * 8 {
            try Damage.flip(path, bit: bit)
            let found = try topic.verify()
            #expect(found.faults.map(\.path) == [path], "bit \(bit)")
            #expect(found.counts.rows == topic.end, "bit \(bit)")
            let data = try topic.data
            let code = logErrorCode { () throws(LogError) in _ = try data.topic("rows") }
            #expect(code == .corrupt, "bit \(bit)")
            if bit % 101 == 0 {
                try topic.expectSalvage(keeps: Array(0..<topic.end), as: configuration)
            }
            try Damage.flip(path, bit: bit)
        }
        try Files.remove(path)
        #expect(try topic.verify().faults.map(\.path) == [path])
        let code = logErrorCode { () throws(LogError) in
            _ = try DataDirectory(topic.fixture.directory.path, create: false)
                .salvageTopic(
                    "rows", into: DataDirectory(topic.fixture.directory.file("x"), create: true))
        }
        #expect(code == .corrupt)
        try topic.expectSalvage(keeps: Array(0..<topic.end), as: configuration)
    }

    /// A configuration that the rows do not fit is refused, and no half of a topic is left.
    @Test func aConfigurationThatDoesNotFit() throws {
        let topic = try Self.topic("misfit")
        let target = try DataDirectory(topic.fixture.directory.file("x"), create: true)
        let code = logErrorCode { () throws(LogError) in
            _ = try DataDirectory(topic.fixture.directory.path, create: false).salvageTopic(
                "rows", into: target, as: TopicConfiguration(kind: .features, features: 2))
        }
        #expect(code == .corrupt)
        #expect(Files.exists(target.path + "/topics/rows") == false)
    }

    @Test func names() throws {
        let data = try Self.topic("names").data
        for (name, expected) in [("none", LogError.Code.notFound), ("../x", .invalidArgument)] {
            #expect(
                logErrorCode { () throws(LogError) in _ = try data.verifyTopic(name) } == expected)
        }
    }

    /// A row that contains a whole segment file: what is in it is never taken for the log.
    @Test func aRowThatLooksLikeALog() throws {
        let topic = try Self.topic("embedded")
        let inner = try Damage.content(topic.segments[0])
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        for _ in 0..<3 {
            var builder = BatchBuilder()
            builder.append(value: inner)
            try writer.append(&builder)
        }
        let data = try DataDirectory(fixture.directory.path, create: false)
        let path = try #require(try fixture.segments().first)
        let batch = 128 + aligned64(128 + 64 + inner.count)
        for byte in [128, 128 + 8, 128 + 24, 128 + 32, 128 + 127] {
            try Damage.flip(path, bit: byte * 8)
            let found = try data.verifyTopic("rows")
            #expect(found.counts.rows == 2, "byte \(byte)")
            #expect(found.faults.map(\.lostOffsets) == [0..<1], "byte \(byte)")
            #expect(found.faults.first?.lostBytes == 128..<batch)
            try Damage.flip(path, bit: byte * 8)
        }
    }

    /// Source rows that come twice, unless a batch without rows has set the source back.
    @Test func overlappingOrigins() throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        func append(_ range: Range<UInt64>, rows: Int) throws {
            var builder = BatchBuilder()
            for _ in 0..<rows { builder.append(value: [1]) }
            builder.origin = BatchOrigin()
            builder.origin?.begin = range.lowerBound
            builder.origin?.end = range.upperBound
            try writer.append(&builder)
        }
        let data = try DataDirectory(fixture.directory.path, create: false)
        try append(0..<10, rows: 10)
        try append(12..<20, rows: 8)
        try append(5..<5, rows: 0)
        try append(5..<9, rows: 4)
        #expect(try data.verifyTopic("rows").faults == [])
        try append(8..<9, rows: 1)
        let found = try data.verifyTopic("rows")
        #expect(found.faults.count == 1)
        #expect(found.faults.first?.expected == "a source range that begins at or after 9")
        #expect(found.counts.rows == 23)
    }

    /// Wrong slots, whose checksums match or not, cost only speed.
    @Test func everyByteOfAnIndex() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("verified index seed \(seed)")
        let topic = try DamagedTopic(seed: seed)
        let path = SegmentIndexFormat.path(ofSegment: topic.segments[1])
        let whole = try Damage.content(path)
        for byte in whole.indices {
            try Damage.flip(path, bit: byte * 8)
            let found = try topic.verify()
            #expect(found.faults.map(\.path) == [path], "byte \(byte)")
            #expect(found.faults.map(\.effect) == [.derived], "byte \(byte)")
            try Damage.flip(path, bit: byte * 8)
        }
        let first = try #require(topic.batches.first { $0.path == topic.segments[1] })
        let header = try topic.fixture.files.segments(from: 0).entries[1].header
        var writer = SegmentIndexWriter(
            segmentPath: topic.segments[1], header: header, priorMaxTimestamp: .min)
        var lie = first.header
        lie.baseOffset += 1
        writer.note(lie, at: header.basePosition, maxTimestampBefore: .min)
        let found = try topic.verify()
        #expect(found.faults.map(\.effect) == [.derived])
        #expect(found.faults.first?.position == 64)
    }
}
