internal import BenchmarkSupport
internal import CBareMetal
internal import FoundationEssentials
internal import LogFigures
internal import Millrace
internal import MillraceInput

/// `produce` from CSV into a topic of features, beside parsing and appending, one after the other.
enum ProduceFigures {
    private static let columns = 64
    private static let batchRows = 1024

    static func print(samples: Int) throws {
        precondition(bare_pin(Int32(Machine.cores - 1)) >= 0, "no such core")
        let directory = try WorkDirectory()
        let path = directory.path + "/digits.csv"
        let lines = try writeDigits(to: path)
        var ratios: [Double] = []
        var rates: [Double] = []
        var parts: [Double] = []
        for sample in 0...samples {
            let whole = try produce(path, directory, sample)
            let (parsing, features) = try parse(path, rows: lines)
            let appending = try append(features, directory, sample)
            guard sample > 0 else { continue }
            ratios.append((parsing + appending) / whole)
            rates.append(Double(lines) / whole / 1e6)
            parts.append(Double(lines) / (parsing + appending) / 1e6)
        }
        Swift.print("")
        Swift.print("| Rows | Asked | Parts in series / produce | Produce | Parts in series |")
        Swift.print("| --- | --- | --- | --- | --- |")
        Swift.print(
            "| \(lines) digits of 64 pixels | >= 0.90 | \(Spread(ratios)) | "
                + "\(Spread(rates)) M rows/s | \(Spread(parts)) M rows/s |")
    }

    /// The shipped digits without their label, 100 times.
    private static func writeDigits(to path: String) throws -> Int {
        let digits = try Digits(rows: Digits.images)
        var text = (0..<columns).map { "p\($0)" }.joined(separator: ",") + "\n"
        var rows = ""
        for row in 0..<Digits.images {
            let pixels = digits.features[row * columns..<(row + 1) * columns]
            rows += pixels.map { "\(Int($0))" }.joined(separator: ",") + "\n"
        }
        for _ in 0..<100 { text += rows }
        try Data(text.utf8).write(to: URL(filePath: path))
        return 100 * Digits.images
    }

    private static func topic(_ directory: WorkDirectory, _ name: String) throws -> Topic {
        try DataDirectory(directory.path + "/data", create: true).topic(
            name, creating: TopicConfiguration(kind: .features, features: columns))
    }

    /// Seconds that `produce` takes.
    private static func produce(
        _ path: String, _ directory: WorkDirectory, _ sample: Int
    ) throws -> Double {
        let name = "produced.\(sample)"
        _ = try topic(directory, name)
        let producer = try TopicProducer(
            topic: name, data: directory.path + "/data",
            options: ProduceOptions(path: path, durability: ProduceDurability.none))
        let began = ContinuousClock.now
        _ = try producer.run()
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        try DataDirectory(directory.path + "/data", create: false).deleteTopic(name)
        return seconds
    }

    /// Seconds that reading lines and parsing their numbers takes, and the numbers.
    private static func parse(_ path: String, rows: Int) throws -> (Double, [Float]) {
        var features = [Float](repeating: 0, count: rows * columns)
        let began = ContinuousClock.now
        var reader = try LineReader(path: path)
        guard try reader.next() != nil else { throw CSVFigures.Rejected(rows: 0) }
        let names = try CSVHeader(line: reader.text, path: path).names
        var encoder = RowEncoder(
            try FeatureSpecification(
                schema: RowSchema(columns: names),
                features: names.map {
                    FrozenFeature(column: $0, encoding: .number(NumberEncoding()))
                }))
        var at = 0
        while try reader.next() != nil {
            var all = features.mutableSpan
            var row = all._mutatingExtracting(at..<at + columns)
            guard case .encoded = encoder.encode(reader.text, offset: 0, into: &row) else {
                throw CSVFigures.Rejected(rows: at)
            }
            at += columns
        }
        return ((ContinuousClock.now - began) / .seconds(1), features)
    }

    /// Seconds that appending the numbers takes.
    private static func append(
        _ features: [Float], _ directory: WorkDirectory, _ sample: Int
    ) throws -> Double {
        let name = "appended.\(sample)"
        var writer = try topic(directory, name).writer(partition: 0)
        var batch = BatchBuilder(columns: columns)
        let began = ContinuousClock.now
        let rows = features.count / columns
        for row in 0..<rows {
            do {
                var target = batch.nextRow()
                for column in 0..<columns { target[column] = features[row * columns + column] }
            }
            batch.commitRow()
            if batch.rows == batchRows || row == rows - 1 { try writer.append(&batch) }
        }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        try writer.close()
        try DataDirectory(directory.path + "/data", create: false).deleteTopic(name)
        return seconds
    }
}
