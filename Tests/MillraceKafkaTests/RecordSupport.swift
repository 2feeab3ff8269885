import MillraceLog
import MillraceSystem
import MillraceTestSupport

@testable import MillraceKafka

/// A row as tests compare it.
struct TestRow: Equatable, CustomStringConvertible {
    var value: [UInt8] = []
    var features: [Float] = []
    var label: Float?
    var key: [UInt8]?
    var milliseconds: Int64 = 0
    var headers: [RowHeader] = []
    /// The offset in Kafka that the row came from.
    var source: UInt64?

    /// Equal where NaN is NaN.
    static func == (left: Self, right: Self) -> Bool {
        left.value == right.value && left.key == right.key
            && left.features.map(\.bitPattern) == right.features.map(\.bitPattern)
            && left.label?.bitPattern == right.label?.bitPattern
            && left.milliseconds == right.milliseconds && left.headers == right.headers
            && (left.source == nil || right.source == nil || left.source == right.source)
    }

    var description: String {
        "\(value.prefix(40)) \(features.prefix(4)) \(label.map { "\($0)" } ?? "-") "
            + "\(key.map { "\($0.prefix(9))" } ?? "-") \(milliseconds) \(headers.count)"
    }
}

extension TestRow {
    init(_ batch: borrowing RecordBatch, _ row: Int) {
        self.init()
        if batch.columns == 0 {
            let bytes = batch.value(row)
            value = bytes.indices.map { bytes[$0] }
        } else {
            features = [Float](repeating: 0, count: batch.columns)
            var target = features.mutableSpan
            batch.widen(rows: row..<row + 1, into: &target)
        }
        if batch.hasLabels { label = batch.labels[row] }
        if let bytes = batch.key(row) { key = bytes.indices.map { bytes[$0] } }
        milliseconds = batch.timestamp(row) / 1_000_000
        headers = batch.rowHeaders(row)
        if batch.origin != nil { source = batch.sourceOffset(row) }
    }

    /// A row for a topic, of everything that rows can have.
    static func random(
        _ configuration: TopicConfiguration, _ number: Int, _ random: inout SplitMix64
    ) -> TestRow {
        var row = TestRow()
        func bytes(_ most: UInt64) -> [UInt8] {
            (0..<random.next() % (most + 1)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
        if configuration.kind == .bytes {
            row.value = Array("\(number):".utf8) + bytes(40)
        } else {
            // Numbers that every element type holds exactly with a scale of 0.5.
            row.features = (0..<configuration.features).map { _ in
                Float(random.next() % 64) * 0.5
            }
            row.features[0] = Float(number % 120) * 0.5
            if configuration.label { row.label = number % 3 == 0 ? .nan : Float(number) }
        }
        if random.next() % 3 != 0 { row.key = bytes(12) }
        row.milliseconds = 1_700_000_000_000 + Int64(number)
        if random.next() % 4 == 0 {
            row.headers = (0...Int(random.next() % 2)).map { RowHeader("h\($0)é", bytes(9)) }
        }
        return row
    }

    /// Adds the row to a builder.
    func add(to builder: inout BatchBuilder) {
        let time = milliseconds * 1_000_000
        let key = key ?? []
        let isKeyed = self.key != nil
        if features.isEmpty {
            isKeyed
                ? builder.append(
                    value: value.span, key: key.span, timestamp: time, headers: headers)
                : builder.append(value: value.span, timestamp: time, headers: headers)
            return
        }
        do {
            var target = builder.nextRow()
            for index in features.indices { target[index] = features[index] }
        }
        isKeyed
            ? builder.commitRow(
                label: label, key: key.span, timestamp: time, headers: headers)
            : builder.commitRow(label: label, timestamp: time, headers: headers)
    }
}

/// A record as tests compare it.
struct TestRecord: Equatable, Sendable {
    var value: [UInt8]?
    var key: [UInt8]?
    var milliseconds: Int64 = 0
    var headers: [RowHeader] = []
}

/// A data directory with topics.
struct TestLog {
    let directory: TemporaryDirectory
    let data: DataDirectory

    init() throws {
        directory = try TemporaryDirectory("millrace-kafka", inMemory: true)
        data = try DataDirectory(directory.file("data"), create: true)
    }

    func create(_ name: String, _ configuration: TopicConfiguration) throws -> Topic {
        try data.createTopic(name, configuration)
    }

    /// Appends rows to a partition, so many a batch.
    func append(_ rows: [TestRow], to topic: Topic, partition: Int, batch: Int) throws {
        var writer = try topic.writer(partition: partition)
        var builder = BatchBuilder(columns: topic.configuration.features)
        for (index, row) in rows.enumerated() {
            row.add(to: &builder)
            if builder.rows == batch || index == rows.count - 1 { try writer.append(&builder) }
        }
        try writer.close()
    }

    func rows(_ name: String, partition: Int) throws -> [TestRow] {
        var reader = try data.topic(name).reader(partition: partition)
        var rows: [TestRow] = []
        while let batch = try reader.next() {
            for row in 0..<batch.rows { rows.append(TestRow(batch, row)) }
        }
        return rows
    }

    /// Source offsets and reasons of what was left out.
    func drops(_ name: String, partition: Int) throws -> [UInt64: UInt32] {
        var reader = try data.topic(name).reader(partition: partition)
        var found: [UInt64: UInt32] = [:]
        while let batch = try reader.next() {
            for index in 0..<batch.dropCount {
                let drop = batch.drop(index)
                found[(batch.origin?.begin ?? 0) + UInt64(drop.sourceDelta)] = drop.reason
            }
        }
        return found
    }
}
