import MillraceSystem
import Testing

@testable import MillraceLog

/// What is appended is what is read, for every kind of batch and both codecs.
@Suite struct RoundTripTests {
    @Test(arguments: Codec.allCases)
    func bytes(_ codec: Codec) throws {
        let fixture = try TopicFixture(codec: codec)
        let rows: [[UInt8]] = [[], [1], Array(repeating: 7, count: 5_000), [], [0, 255], []]
        var writer = try fixture.topic.writer(partition: 0)
        var builder = BatchBuilder()
        for row in rows { builder.append(value: row) }
        builder.sequence = 9
        builder.timestamp = 1_700_000_000_000_000_000
        #expect(try writer.append(&builder).baseOffset == 0)
        #expect(builder.rows == 0)
        let long = rows[2]
        builder.append(value: long.span)
        #expect(try writer.append(&builder).baseOffset == 6)

        let images = try fixture.images()
        #expect(images.map(\.values) == [rows, [rows[2]]])
        #expect(images.map(\.baseOffset) == [0, 6])
        #expect(images[0].sequence == 9)
        #expect(images[0].timestamps[0] == 1_700_000_000_000_000_000)
        #expect(images[1].timestamps[0] == images[1].timestamps[1])
        #expect(images[1].origin == nil)
    }

    @Test(arguments: Codec.allCases, [1, 3, 16, 67])
    func featuresAndLabels(_ codec: Codec, columns: Int) throws {
        let fixture = try TopicFixture(.features, features: columns, label: true, codec: codec)
        var random = SplitMix64(seed: UInt64(columns))
        var matrix: [Float] = []
        var labels: [Float] = []
        var writer = try fixture.topic.writer(partition: 0)
        var builder = BatchBuilder(columns: columns)
        for row in 0..<41 {
            let values = (0..<columns).map { column -> Float in
                (row + column) % 5 == 0 ? .nan : Float(Int(random.next() % 9))
            }
            let label: Float = row % 3 == 0 ? .nan : Float(row)
            var target = builder.nextRow()
            for column in 0..<columns { target[column] = values[column] }
            builder.commitRow(label: label)
            matrix += values
            labels.append(label)
        }
        try writer.append(&builder)

        let image = try #require(try fixture.images().first)
        #expect(image.matrix == matrix.map(\.bitPattern))
        #expect(image.labels == labels.map(\.bitPattern))
        #expect(image.columns == columns)
        #expect(image.sources == Array(0..<41))
    }

    @Test(arguments: Codec.allCases)
    func predictions(_ codec: Codec) throws {
        let fixture = try TopicFixture(.predictions, codec: codec)
        let origin = Self.origin
        var writer = try fixture.topic.writer(partition: 0)
        var builder = BatchBuilder(columns: 2)
        builder.origin = origin
        builder.specification = 4
        var outputs = builder.addRows(5)
        for index in 0..<10 { outputs[index] = Float(index) / 4 }
        for index in 0..<5 {
            builder.addMark(UInt8(index * 60))
            builder.addSourceDelta(UInt32(index * index))
        }
        builder.drop(sourceDelta: 5, reason: 77)
        builder.drop(sourceDelta: 19, reason: .max)
        try writer.append(&builder)

        let image = try #require(try fixture.images().first)
        #expect(image.matrix == (0..<10).map { (Float($0) / 4).bitPattern })
        #expect(image.labels == [])
        #expect(image.marks == [0, 60, 120, 180, 240])
        #expect(image.sources == [100, 101, 104, 109, 116])
        #expect(image.drops == [[5, 77], [19, .max]])
        #expect(image.origin == origin)
        #expect(image.specification == 4)
    }

    @Test(arguments: Codec.allCases)
    func progressWithoutRows(_ codec: Codec) throws {
        let fixture = try TopicFixture(.predictions, codec: codec)
        let source = try fixture.topic.dictionaryID(of: "raw")
        var writer = try fixture.topic.writer(partition: 0)
        for end in [10, 20] as [UInt64] {
            var builder = BatchBuilder()
            builder.origin = BatchOrigin()
            builder.origin?.source = source
            builder.origin?.end = end
            builder.drop(sourceDelta: 3, reason: 1)
            #expect(try writer.append(&builder).baseOffset == 0)
        }
        let images = try fixture.images()
        #expect(images.map(\.rows) == [0, 0])
        #expect(images.map(\.drops) == [[[3, 1]], [[3, 1]]])
        let last = try fixture.topic.lastOrigin(partition: 0, source: "raw", sourcePartition: 0)
        #expect(last?.origin.end == 20)
        let none = try fixture.topic.lastOrigin(partition: 0, source: "other", sourcePartition: 0)
        #expect(none == nil)
        #expect(try fixture.topic.endOffset(partition: 0) == 0)
    }

    @Test func compressesWhatShrinksAndStoresWhatDoesNot() throws {
        let fixture = try TopicFixture(codec: .lz4)
        var random = SplitMix64(seed: 5)
        var writer = try fixture.topic.writer(partition: 0)
        var builder = BatchBuilder()
        builder.append(value: [UInt8](repeating: 1, count: 10_000))
        try writer.append(&builder)
        builder.append(value: (0..<10_000).map { _ in UInt8(random.next() & 0xFF) })
        try writer.append(&builder)
        var reader = try fixture.topic.reader(partition: 0)
        var stored: [Int] = []
        while let batch = try reader.next() { stored.append(batch.storedBytes) }
        #expect(stored[0] < 1_000)
        #expect(stored[1] > 10_000)
    }

    @Test func refusesBatchesThatMakeNoSense() throws {
        let fixture = try TopicFixture(.features, features: 2)
        var writer = try fixture.topic.writer(partition: 0)
        var empty = BatchBuilder(columns: 2)
        #expect(
            logErrorCode { () throws(LogError) in try writer.append(&empty) }
                == .invalidArgument)
        var wide = BatchBuilder(columns: 3)
        _ = wide.addRows(1)
        #expect(
            logErrorCode { () throws(LogError) in try writer.append(&wide) }
                == .invalidArgument)
        var uneven = BatchBuilder(columns: 2)
        _ = uneven.addRows(2)
        uneven.addMark(1)
        #expect(
            logErrorCode { () throws(LogError) in try writer.append(&uneven) }
                == .invalidArgument)
        var valueless = BatchBuilder()
        valueless.commitRow()
        #expect(
            logErrorCode { () throws(LogError) in try writer.append(&valueless) }
                == .invalidArgument)
        var far = BatchBuilder(columns: 2)
        _ = far.addRows(1)
        far.origin = BatchOrigin()
        far.origin?.end = .max
        #expect(
            logErrorCode { () throws(LogError) in try writer.append(&far) }
                == .invalidArgument)
        #expect(try fixture.images() == [])
        #expect(writer.nextOffset == 0)
    }

    private static var origin: BatchOrigin {
        var origin = BatchOrigin()
        origin.group = 1
        origin.source = 2
        origin.sourcePartition = 3
        origin.generation = 4
        origin.begin = 100
        origin.end = 120
        origin.sourceEpoch = 5
        origin.model = 6
        origin.modelVersion = 7
        origin.kernelSet = 8
        origin.textChecksum = 9
        origin.beginLine = 10
        origin.endLine = 11
        return origin
    }
}
