internal import Benchmark
internal import BenchmarkSupport
internal import FoundationEssentials
internal import MillraceLog

/// Appending and scanning digits, 64 float32 features and a label in a row.
///
/// One partition, one thread, the file in the page cache.
let benchmarks: @Sendable () -> Void = {
    let storedBytes = BenchmarkMetric.custom("Stored bytes / row", useScalingFactor: false)
    let configuration = Benchmark.Configuration(
        metrics: [.wallClock, Rate.rows.metric, Rate.bytes.metric, storedBytes],
        warmupIterations: 3, maxDuration: .seconds(3), maxIterations: 100)

    for codec in [Codec.none, .lz4] {
        Benchmark("append digits, \(codec)", configuration: configuration) { benchmark in
            let log = try DigitLog(codec: codec)
            defer { log.remove() }
            try log.append(batches: 2)
            let clock = ContinuousClock()
            benchmark.startMeasurement()
            let duration = try clock.measure { try log.append(batches: DigitLog.batches) }
            benchmark.stopMeasurement()
            log.record(duration, to: benchmark)
            benchmark.measurement(storedBytes, try log.scan().storedBytes / log.rows)
        }

        Benchmark("scan digits, \(codec)", configuration: configuration) { benchmark in
            let log = try DigitLog(codec: codec)
            defer { log.remove() }
            try log.append(batches: DigitLog.batches)
            var found = try log.scan()
            let clock = ContinuousClock()
            benchmark.startMeasurement()
            let duration = try clock.measure { found = try log.scan() }
            benchmark.stopMeasurement()
            guard found.rows == log.rows else {
                return benchmark.error("\(found.rows) rows of \(log.rows)")
            }
            log.record(duration, to: benchmark)
            benchmark.measurement(storedBytes, found.storedBytes / log.rows)
        }
    }
}

/// A topic of one partition in a directory of its own.
private final class DigitLog {
    static let batches = 32
    static let rowsPerBatch = 1024

    private static let digits = Result { try Digits(rows: rowsPerBatch) }

    private let path: String
    private let topic: Topic
    private let digits: Digits
    private(set) var rows = 0

    init(codec: Codec) throws {
        path = FileManager.default.temporaryDirectory.path() + "millrace-\(UUID())"
        topic = try DataDirectory(path, create: true).topic(
            "digits",
            creating: TopicConfiguration(
                kind: .features, features: Digits.columns, label: true, codec: codec))
        digits = try Self.digits.get()
    }

    func remove() {
        do { try FileManager.default.removeItem(atPath: path) } catch {
            print("cannot remove \(path): \(error)")
        }
    }

    /// Builds and appends batches of `rowsPerBatch` rows.
    func append(batches: Int) throws {
        var writer = try topic.writer(partition: 0)
        var builder = BatchBuilder(columns: Digits.columns)
        for _ in 0..<batches {
            for row in 0..<Self.rowsPerBatch {
                var target = builder.nextRow()
                let begin = row * Digits.columns
                for column in 0..<Digits.columns {
                    target[column] = digits.features[begin + column]
                }
                builder.commitRow(label: digits.labels[row])
            }
            try writer.append(&builder)
            rows += Self.rowsPerBatch
        }
    }

    /// Reads everything, which checks and decodes each batch.
    func scan() throws -> (rows: Int, storedBytes: Int) {
        var reader = try topic.reader(partition: 0)
        var rows = 0
        var storedBytes = 0
        while let batch = try reader.next() {
            rows += batch.rows
            storedBytes += batch.storedBytes
        }
        return (rows, storedBytes)
    }

    func record(_ duration: Duration, to benchmark: Benchmark) {
        let rows = Self.batches * Self.rowsPerBatch
        Rate.rows.record(rows, in: duration, to: benchmark)
        Rate.bytes.record(rows * (Digits.columns + 1) * 4, in: duration, to: benchmark)
    }
}
