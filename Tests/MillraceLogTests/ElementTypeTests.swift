import FoundationEssentials
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Topics with narrow elements, through their files.
@Suite struct ElementTypeTests {
    private static func topic(
        _ directory: TemporaryDirectory, _ configuration: TopicConfiguration
    ) throws -> Topic {
        try DataDirectory(directory.path, create: true).topic("rows", creating: configuration)
    }

    @Test(arguments: ElementType.allCases)
    func appendedRowsComeBackRounded(_ type: ElementType) throws {
        let directory = try TemporaryDirectory("millrace-log")
        let configuration = TopicConfiguration(
            kind: .features, features: 5, codec: .lz4, filter: .split, elementType: type,
            scale: 0.5, zeroPoint: type.zeroPoints.upperBound / 2)
        var topic = try Self.topic(directory, configuration)
        let rows = (0..<50 * 5).map { Float($0) * 0.3 - 30 }
        do {
            var writer = try topic.writer(partition: 0)
            var builder = BatchBuilder(columns: 5)
            var target = builder.addRows(50)
            for index in rows.indices { target[index] = rows[index] }
            try writer.append(&builder)
        }
        // What the description says is what another process decodes with.
        topic = try DataDirectory(directory.path, create: false).topic("rows")
        #expect(topic.configuration == configuration)
        var reader = try topic.reader(partition: 0)
        guard let batch = try reader.next() else {
            Issue.record("the batch is missing")
            return
        }
        #expect(batch.elementType == type)
        #expect(batch.stride == 5)
        #expect(batch.storedMatrix.byteCount == 250 * type.byteCount)
        let expected = rows.map {
            ElementKernelTests.rounded(
                $0, type, scale: configuration.scale, zeroPoint: configuration.zeroPoint)
        }
        var buffer = [Float](repeating: 0, count: 20)
        var space = buffer.mutableSpan
        for start in stride(from: 0, to: 48, by: 4) {
            let found = batch.withFeatures(rows: start..<start + 4, buffer: &space) {
                features, stride in
                (0..<4).flatMap { row in (0..<5).map { features[row * stride + $0] } }
            }
            #expect(found == Array(expected[start * 5..<(start + 4) * 5]))
        }
    }

    @Test func rowsThatAreNarrowAlready() throws {
        let directory = try TemporaryDirectory("millrace-log")
        let topic = try Self.topic(
            directory,
            TopicConfiguration(
                kind: .features, features: 3, label: true, codec: .none, elementType: .uint8,
                scale: 2, zeroPoint: 10))
        var writer = try topic.writer(partition: 0)
        var builder = BatchBuilder(columns: 3, elementType: .uint8)
        let raw: [UInt8] = [0, 10, 255, 11, 9, 8]
        unsafe builder.append(rawRows: raw.span.bytes, count: 2)
        for index in 0..<2 {
            builder.addLabel(Float(index))
            builder.addTimestamp(Int64(index + 5))
        }
        let key: [UInt8] = [4, 2]
        builder.addKey(nil)
        builder.addKey(key.span)
        try writer.append(&builder)
        var wrong = BatchBuilder(columns: 3, elementType: .int8)
        unsafe wrong.append(rawRows: raw.span.bytes, count: 2)
        #expect(
            logErrorCode { () throws(LogError) in try writer.append(&wrong) } == .invalidArgument)

        var reader = try topic.reader(partition: 0)
        guard let batch = try reader.next() else {
            Issue.record("the batch is missing")
            return
        }
        var floats = [Float](repeating: 0, count: 6)
        var target = floats.mutableSpan
        batch.widen(rows: 0..<2, into: &target)
        #expect(floats == [-20, 0, 490, 2, -2, -4])
        #expect(batch.labels[1] == 1)
        #expect(RowDetails(batch).keys == [nil, key])
        #expect(RowDetails(batch).timestamps == [5, 6])
    }

    @Test(arguments: [ElementType.uint8, .int8])
    func integersCannotHoldNaN(_ type: ElementType) throws {
        let topic = TopicConfiguration(kind: .features, features: 4, elementType: type)
        var encoder = BatchEncoder(configuration: topic)
        var builder = BatchBuilder(columns: 4)
        var rows = builder.addRows(30)
        for index in 0..<120 { rows[index] = 1 }
        rows[4 * 17 + 2] = .nan
        rows[4 * 20] = .nan
        do throws(LogError) {
            try encoder.prepare(&builder)
            Issue.record("NaN was taken")
        } catch {
            #expect(error.code == .invalidArgument)
            #expect(error.message.contains("row 17, column 2"))
        }
    }

    @Test func configurationsThatMakeNoSense() {
        func refuses(_ change: (inout TopicConfiguration) -> Void) -> Bool {
            var topic = TopicConfiguration(kind: .features, features: 2, elementType: .uint8)
            change(&topic)
            return logErrorCode { () throws(LogError) in try topic.validate() }
                == .invalidArgument
        }
        #expect(!refuses { _ in })
        #expect(refuses { $0.scale = 0 })
        #expect(refuses { $0.scale = -1 })
        #expect(refuses { $0.scale = .nan })
        #expect(refuses { $0.scale = .infinity })
        #expect(refuses { $0.zeroPoint = 256 })
        #expect(refuses { $0.zeroPoint = -1 })
        #expect(refuses { ($0.elementType, $0.zeroPoint) = (.int8, 128) })
        #expect(refuses { ($0.elementType, $0.zeroPoint) = (.float16, 1) })
        #expect(refuses { ($0.kind, $0.features) = (.bytes, 0) })
        #expect(refuses { ($0.kind, $0.features) = (.predictions, 0) })
        #expect(refuses { ($0.codec, $0.filter) = (.none, .split) })
        #expect(
            refuses {
                ($0.kind, $0.features, $0.elementType) = (.bytes, 0, .float32)
                $0.filter = .split
            })
    }

    @Test func olderDescriptionsHaveTheDefaults() throws {
        let json = """
            {"partitions":2,"kind":"features","features":3,"label":true,"codec":"lz4","level":0,
            "segmentBytes":65536}
            """
        let found = try JSONDecoder().decode(TopicConfiguration.self, from: Data(json.utf8))
        #expect(found.elementType == .float32)
        #expect(found.filter == .none)
        #expect(found.scale == 1)
        #expect(found.zeroPoint == 0)
        var topic = found
        (topic.elementType, topic.scale, topic.zeroPoint) = (.int8, 0.25, -3)
        let text = try TopicDescription(id: 7, configuration: topic).json()
        #expect(String(decoding: text, as: UTF8.self).contains(#""dtype" : "int8""#))
        #expect(try TopicDescription(json: text, path: "topic.json").configuration == topic)
    }
}
