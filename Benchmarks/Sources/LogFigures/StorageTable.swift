internal import BenchmarkSupport
internal import MillraceLog

/// What a filter and a size of batches do to rows: how small they get and how fast they are read.
public struct StorageTable {
    /// Where rows come from.
    public struct Rows {
        let name: String
        let columns: Int
        /// `[rows, columns]`, row-major.
        let features: [Float]

        var count: Int { features.count / columns }

        /// The shipped digits, each once.
        public static func digits() throws -> Rows {
            Rows(
                name: "digits", columns: Digits.columns,
                features: try Digits(rows: Digits.images).features)
        }

        /// At most `limit` rows of a topic that is there, such as one that a pipeline has filled.
        public static func topic(
            _ name: String, in directory: String, limit: Int
        ) throws -> Rows {
            let topic = try DataDirectory(directory, create: false).topic(name)
            let columns = topic.configuration.features
            var features: [Float] = []
            for partition in 0..<topic.configuration.partitions {
                var reader = try topic.reader(partition: partition)
                while let batch = try reader.next() {
                    let matrix = batch.matrix
                    for row in 0..<batch.rows where features.count < limit * columns {
                        let first = row * batch.stride
                        for column in 0..<columns { features.append(matrix[first + column]) }
                    }
                }
            }
            return Rows(name: name, columns: columns, features: features)
        }
    }

    /// Rows that are stored for a line, the given ones again and again.
    private static let stored = 1 << 17
    private static let turns = 7

    /// Prints a line for each filter and number of rows a batch.
    public static func print(_ rows: Rows) throws {
        try Bare.pin(to: 0)
        for filter in Filter.allCases {
            for rowsPerBatch in [64, 256, 1024, 4096] {
                Swift.print(try line(rows, filter, rowsPerBatch))
            }
        }
    }

    private static func line(
        _ rows: Rows, _ filter: Filter, _ rowsPerBatch: Int
    ) throws -> String {
        let log = try DigitLog(codec: .lz4, filter: filter, columns: rows.columns)
        var writer = try log.topic.writer(partition: 0)
        var builder = BatchBuilder(columns: rows.columns)
        var next = 0
        let clock = ContinuousClock()
        var appending = Duration.zero
        for _ in 0..<Self.stored / rowsPerBatch {
            var target = builder.addRows(rowsPerBatch)
            for row in 0..<rowsPerBatch {
                let from = next % rows.count * rows.columns
                let to = row * rows.columns
                for column in 0..<rows.columns {
                    target[to + column] = rows.features[from + column]
                }
                next += 1
            }
            let start = clock.now
            try writer.append(&builder)
            appending += clock.now - start
        }
        try writer.close()
        var scans: [Double] = []
        var bytes = 0
        for _ in 0..<turns {
            let scan = try log.scan()
            scans.append(scan.seconds)
            bytes = scan.storedBytes
        }
        let seconds = Spread(scans)
        let decoded = Double(Self.stored * rows.columns * 4)
        let perRow = Double(bytes) / Double(Self.stored)
        let nanoseconds = seconds.median / Double(Self.stored) * 1e9
        let rate = decoded / seconds.median * 1e-9
        let append = decoded / (appending / .seconds(1)) * 1e-9
        return "| \(rows.name) | \(rows.columns) | \(filter.rawValue) | \(rowsPerBatch) "
            + "| \(decimal(perRow)) of \(rows.columns * 4) | \(decimal(nanoseconds)) ns "
            + "| \(decimal(rate)) GB/s | \(decimal(append)) GB/s |"
    }
}
