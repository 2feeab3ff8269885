import MillraceInput
import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceKafka

/// Rows to records and back, in every format, for every kind of topic that it fits.
@Suite struct RecordFormatTests {
    static let cases: [(KafkaFormat, TopicConfiguration)] = {
        var cases: [(KafkaFormat, TopicConfiguration)] = []
        for codec in Codec.allCases {
            for format in [KafkaFormat.bytes, .block] {
                cases.append((format, TopicConfiguration(kind: .bytes, codec: codec)))
            }
            for type in ElementType.allCases {
                for format in [KafkaFormat.float32, .json, .block] {
                    cases.append(
                        (
                            format,
                            TopicConfiguration(
                                kind: .features, features: 5, label: type != .int8, codec: codec,
                                elementType: type, scale: 0.5)
                        ))
                }
            }
        }
        return cases
    }()

    /// The records of rows.
    private func records(
        _ rows: [TestRow], _ format: KafkaFormat, _ configuration: TopicConfiguration,
        maxRecordBytes: Int = 1_000_000
    ) throws -> [TestRecord] {
        let log = try TestLog()
        let topic = try log.create("t", configuration)
        try log.append(rows, to: topic, partition: 0, batch: 7)
        var writer = RecordWriter(format, of: configuration, maxRecordBytes: maxRecordBytes)
        var records: [TestRecord] = []
        func take(
            _ value: Span<UInt8>, _ key: Span<UInt8>?, _ milliseconds: Int64,
            _ headers: [RowHeader]
        ) {
            var record = TestRecord(value: value.indices.map { value[$0] })
            if let key { record.key = key.indices.map { key[$0] } }
            record.milliseconds = milliseconds
            record.headers = headers
            records.append(record)
        }
        var reader = try topic.reader(partition: 0)
        while let batch = try reader.next() {
            try writer.write(batch, from: 0) { (value, key, time, headers) throws(KafkaError) in
                take(value, key, time, headers)
            }
        }
        try writer.finish { (value, key, time, headers) throws(KafkaError) in
            take(value, key, time, headers)
        }
        return records
    }

    /// The rows of records, by way of a topic.
    private func rows(
        _ records: [TestRecord], _ format: KafkaFormat, _ configuration: TopicConfiguration
    ) throws -> [TestRow] {
        let log = try TestLog()
        let topic = try log.create("t", configuration)
        let lane = try InboundLane(
            topic, source: "kafka:test/t", partition: 0, format: format, policy: .stop, start: 0)
        for (offset, record) in records.enumerated() {
            try lane.take(record, offset: Int64(offset))
        }
        try lane.append()
        try lane.close()
        return try log.rows("t", partition: 0)
    }

    @Test(arguments: cases)
    func roundTrips(_ format: KafkaFormat, _ configuration: TopicConfiguration) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        let rows = (0..<100).map { TestRow.random(configuration, $0, &random) }
        let records = try records(rows, format, configuration)
        #expect(format == .block ? records.count == 1 : records.count == rows.count)
        let found = try self.rows(records, format, configuration)
        #expect(found.count == rows.count)
        for (index, (found, row)) in zip(found, rows).enumerated() {
            #expect(found == row, "row \(index), seed \(seed)")
        }
    }

    @Test func whatRecordsLookLike() throws {
        var row = TestRow(features: [1, .nan, -0.5], label: 2, key: [7], milliseconds: 1234)
        row.headers = [RowHeader("h", [1])]
        let topic = TopicConfiguration(kind: .features, features: 3, label: true)
        let json = try records([row], .json, topic)
        #expect(
            json.map { String(decoding: $0.value ?? [], as: UTF8.self) }
                == [#"{"features":[1,null,-0.5],"label":2}"#])
        #expect(
            json[0].key == [7] && json[0].milliseconds == 1234 && json[0].headers == row.headers)
        let floats = try records([row], .float32, topic)
        #expect(
            floats[0].value == [
                0, 0, 0x80, 0x3F, 0, 0, 0xC0, 0x7F, 0, 0, 0, 0xBF, 0, 0, 0, 0x40,
            ])
        row.label = .nan
        let unlabelled = try records([row], .json, topic)
        #expect(
            unlabelled.map { String(decoding: $0.value ?? [], as: UTF8.self) }
                == [#"{"features":[1,null,-0.5]}"#])
    }

    /// Times before 1970 are rounded down too.
    @Test func timesAreRoundedDown() throws {
        let log = try TestLog()
        let topic = try log.create("t", TopicConfiguration(kind: .bytes))
        var writer = try topic.writer(partition: 0)
        var builder = BatchBuilder()
        let value: [UInt8] = [1]
        for time in [1_999_999, 2_000_000, -1, -1_000_000] as [Int64] {
            builder.append(value: value.span, timestamp: time)
        }
        try writer.append(&builder)
        var records = RecordWriter(.bytes, of: topic.configuration, maxRecordBytes: 1000)
        var times: [Int64] = []
        var reader = try topic.reader(partition: 0)
        while let batch = try reader.next() {
            try records.write(batch, from: 0) { (_, _, time, _) throws(KafkaError) in
                times.append(time)
            }
        }
        #expect(times == [1, 2, -1, -1])
    }

    @Test(arguments: [
        ("{}", "a member"), ("", "a JSON object"), ("[1]", "a JSON object"),
        (#"{"features":[1,2]}"#, "3 features, not 2"),
        (#"{"features":[1,2,3,4]}"#, "3 features, not 4"),
        (#"{"features":[1,2,"x"]}"#, "a number, null"), (#"{"features":[1,2,3]"#, "\",\" or"),
        (#"{"features":[1,2,3]} x"#, "the end"), (#"{"features":[1,2,3],"label":[]}"#, "a number"),
    ])
    func badObjects(_ text: String, _ part: String) throws {
        try refuse(
            Array(text.utf8), .json, TopicConfiguration(kind: .features, features: 3, label: true),
            part)
    }

    @Test(arguments: [0, 1, 11, 12, 15, 17, 20])
    func vectorsOfOtherLengths(_ count: Int) throws {
        let labelled = TopicConfiguration(kind: .features, features: 3, label: true)
        try refuse([UInt8](repeating: 0, count: count), .float32, labelled, "expected 4 float32")
    }

    @Test func missingValuesWhereThereIsNoRoomForThem() throws {
        let topic = TopicConfiguration(kind: .features, features: 2, elementType: .uint8)
        try refuse(Array(#"{"features":[1,null]}"#.utf8), .json, topic, "feature 1 is missing")
    }

    /// A record that is none is refused alone: those around it are rows.
    private func refuse(
        _ value: [UInt8], _ format: KafkaFormat, _ configuration: TopicConfiguration,
        _ part: String
    ) throws {
        var reader = RecordReader(format, for: configuration)
        var builder = BatchBuilder(columns: configuration.features)
        let context = RecordContext(timestamp: 1, sourceDelta: 0)
        var fault: RecordFault?
        do throws(RecordFault) {
            _ = try reader.add(value: value.span, key: nil, context, to: &builder)
        } catch { fault = error }
        #expect(fault?.reason == .undecodable)
        #expect(fault?.message.contains(part) == true, "\(fault?.message ?? "taken")")
        #expect(builder.rows == 0 && builder.byteCount == 0)
    }

    @Test func limitsOfTheLog() throws {
        var reader = RecordReader(.bytes, for: TopicConfiguration(kind: .bytes))
        var builder = BatchBuilder()
        let value: [UInt8] = [1]
        let key = [UInt8](repeating: 0, count: LogLimits.maxKeyBytes + 1)
        func reason(_ key: [UInt8], _ headers: [RowHeader]) -> BadRecordReason? {
            do throws(RecordFault) {
                _ = try reader.add(
                    value: value.span, key: key.span,
                    RecordContext(timestamp: 1, sourceDelta: 0, headers: headers), to: &builder)
                return nil
            } catch { return error.reason }
        }
        #expect(reason(key, []) == .beyondLimits)
        #expect(reason([], [RowHeader("", [])]) == .beyondLimits)
        #expect(reason([], [RowHeader(String(repeating: "n", count: 1025), [])]) == .beyondLimits)
        let many = [RowHeader](repeating: RowHeader("n", []), count: LogLimits.maxHeaders + 1)
        #expect(reason([], many) == .beyondLimits)
        let large = [UInt8](repeating: 0, count: LogLimits.maxHeaderBytes)
        #expect(reason([], [RowHeader("n", large)]) == .beyondLimits)
        #expect(builder.rows == 0)
        #expect(reason([], [RowHeader("n", [1])]) == nil && builder.rows == 1)
        var fault: RecordFault?
        do throws(RecordFault) {
            _ = try reader.add(
                value: nil, key: nil, RecordContext(timestamp: 1, sourceDelta: 0), to: &builder)
        } catch { fault = error }
        #expect(fault?.reason == .noValue)
    }

    /// A block ends before it is larger than a record may be.
    @Test(arguments: [RowKind.bytes, .features])
    func blocksStayWithinARecord(_ kind: RowKind) throws {
        let configuration = kind.configuration
        var random = SplitMix64(seed: 5)
        let rows = (0..<3000).map { TestRow.random(configuration, $0, &random) }
        let limit = 16_384
        let records = try records(rows, .block, configuration, maxRecordBytes: limit)
        #expect(records.count > 3)
        #expect(records.allSatisfy { ($0.value?.count ?? 0) <= limit })
        #expect(try self.rows(records, .block, configuration) == rows)
    }

    enum RowKind: Sendable {
        case bytes, features

        var configuration: TopicConfiguration {
            self == .bytes
                ? TopicConfiguration(kind: .bytes, codec: .none)
                : TopicConfiguration(kind: .features, features: 6, label: true, codec: .none)
        }
    }
}

extension InboundLane {
    /// Takes a record as a consumer would hand it over.
    func take(_ record: TestRecord, offset: Int64) throws(KafkaError) {
        let place = RecordPlace(
            topic: try KafkaAddress("kafka://h/t"), partition: partition, offset: offset,
            milliseconds: record.milliseconds)
        let headers = record.headers
        let value = record.value ?? []
        let key = record.key ?? []
        try take(
            value: record.value == nil ? nil : value.span, key: record.key == nil ? nil : key.span,
            place
        ) { () throws(RecordFault) in headers }
    }
}
