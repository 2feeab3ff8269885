import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Topics of several partitions with every kind of section, and damage of any kind anywhere.
@Suite struct VerifyPartitionsTests {
    private let directory: TemporaryDirectory
    private let data: DataDirectory

    init() throws {
        directory = try TemporaryDirectory("millrace-verify")
        data = try DataDirectory(directory.path, create: true)
    }

    /// Three partitions of features with labels, marks, drops and origins.
    private func features(_ codec: Codec) throws -> Topic {
        let topic = try data.topic(
            "features",
            creating: TopicConfiguration(
                partitions: 3, kind: .features, features: 2, label: true, codec: codec))
        for partition in 0..<3 {
            var writer = try topic.writer(partition: partition)
            for batch in 0..<5 {
                var builder = BatchBuilder(columns: 2)
                for index in 0..<9 {
                    var row = builder.nextRow()
                    row[0] = Float(partition)
                    row[1] = Float(batch)
                    builder.commitRow(
                        label: 1, sourceDelta: UInt32(index * 2), mark: UInt8(index))
                }
                builder.drop(sourceDelta: 1, reason: 3)
                builder.origin = BatchOrigin()
                builder.origin?.source = try topic.dictionaryID(of: "topic:raw#\(partition)")
                builder.origin?.begin = UInt64(batch * 20)
                builder.origin?.end = UInt64(batch * 20 + 20)
                builder.sequence = UInt64(batch)
                try writer.append(&builder)
            }
            try writer.close()
        }
        return topic
    }

    private func images(_ topic: Topic, _ partition: Int) throws -> [BatchImage] {
        var reader = try topic.reader(partition: partition)
        var images: [BatchImage] = []
        while let batch = try reader.next() {
            var image = BatchImage(batch)
            image.epoch = 0
            images.append(image)
        }
        return images
    }

    @Test(arguments: Codec.allCases)
    func onePartitionOfSeveral(_ codec: Codec) throws {
        let topic = try features(codec)
        #expect(try data.verifyTopic("features").faults == [])
        let whole = try (0..<3).map { try images(topic, $0) }
        let place = topic.directory + "/1"
        let name = try #require(try Files.list(place).first { $0.hasSuffix(".log") })
        // The second batch's payload.
        let path = place + "/" + name
        let size = (try Files.size(path) - 128) / 5
        try Damage.flip(path, bit: (128 + size + 256) * 8)
        let found = try data.verifyTopic("features")
        #expect(found.faults.map(\.path) == [path])
        #expect(found.faults.map(\.partition) == [1])
        #expect(found.faults.first?.lostOffsets == 9..<18)
        #expect(found.counts.rows == 3 * 45 - 9)
        let other = try DataDirectory(directory.file("other"), create: true)
        let report = try data.salvageTopic("features", into: other)
        #expect(report.losses == found.faults)
        #expect(report.kept.rows == 3 * 45 - 9)
        #expect(try other.verifyTopic("features").faults == [])
        let copy = try other.topic("features")
        #expect(copy.configuration == topic.configuration)
        for partition in 0..<3 {
            var expected = whole[partition]
            if partition == 1 { expected.remove(at: 1) }
            #expect(try images(copy, partition) == expected)
        }
        let last = try copy.lastOrigin(partition: 1, source: "topic:raw#1", sourcePartition: 0)
        #expect(last?.origin.end == 100)
        #expect(last?.sequence == 4)
    }

    @Test func aMissingPartition() throws {
        let place = try features(.none).directory + "/2"
        try Files.removeTree(place)
        let found = try data.verifyTopic("features")
        #expect(found.faults.map(\.path) == [place])
        #expect(found.counts.rows == 90)
        let other = try DataDirectory(directory.file("other"), create: true)
        #expect(try data.salvageTopic("features", into: other).kept.rows == 90)
        #expect(try other.verifyTopic("features").faults == [])
    }

    /// Names that are no segment's are no reason to stop.
    @Test func strangeNames() throws {
        let place = try features(.none).directory + "/0/"
        let names = [
            "x.log", "-.log", ".log", "00000000000000000064-fffffff.log",
            "00000000000000000064-ffffffff.log", "99999999999999999999-00001.log", "1-1-1.log",
        ]
        for name in names {
            try Files.writeDurably(place + name, [UInt8](repeating: 7, count: 300))
        }
        let found = try data.verifyTopic("features")
        #expect(Set(found.faults.map(\.path)) == Set(names.map { place + $0 }))
        #expect(found.counts.rows == 135)
    }

    /// Zeros or noise in any file: no trap, and every row of a copy is a row of the original.
    @Test(arguments: Codec.allCases)
    func anythingAnywhere(_ codec: Codec) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("damage anywhere seed \(seed)")
        let topic = try DamagedTopic(codec: codec, epochs: 3, batches: 60, seed: seed)
        var random = SplitMix64(seed: seed &+ 1)
        let whole = try topic.content()
        let paths = whole.keys.sorted()
        var kept = 0
        for turn in 0..<150 {
            for _ in 0...Int(random.next() % 5) {
                let path = paths[Int(random.next() % UInt64(paths.count))]
                let size = max(1, try Files.size(path))
                let start = Int(random.next() % UInt64(size))
                let length = [1, 2, 8, 64, 512][Int(random.next() % 5)]
                let isNoise = random.next() % 2 == 0
                let bytes = (0..<length).map { _ in isNoise ? UInt8(random.next() & 0xFF) : 0 }
                switch random.next() % 8 {
                case 0: try Damage.truncate(path, to: start)
                default: try FileHandle(path, .readWrite).write(bytes, at: start)
                }
            }
            let found = try topic.verify()
            #expect(found.counts.rows <= topic.end, "turn \(turn)")
            let other = try DataDirectory(directory.file("turn\(turn)\(codec)"), create: true)
            let report = try topic.data.salvageTopic(
                "rows", into: other, as: topic.fixture.topic.configuration)
            #expect(report.original == found, "turn \(turn)")
            #expect(try other.verifyTopic("rows").faults == [], "turn \(turn)")
            var reader = try other.topic("rows").reader(partition: 0)
            let offsets = try #require(try Rows.offsets(&reader), "turn \(turn)")
            #expect(offsets.count == Int(report.kept.rows), "turn \(turn)")
            #expect(zip(offsets, offsets.dropFirst()).allSatisfy { $0 < $1 } == true)
            kept += offsets.count
            for (path, bytes) in whole { try Damage.overwrite(path, with: bytes) }
        }
        #expect(kept > 150 * Int(topic.end) / 4)
    }
}
