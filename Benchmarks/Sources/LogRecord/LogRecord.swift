internal import FoundationEssentials
internal import LogFigures

/// Measures every figure of the log and prints the record's table.
///
/// `log-record [SAMPLES [START]]`; START is how the names of the figures to measure begin.
/// `log-record storage [DIRECTORY TOPIC]` prints what filters and sizes of batches do to the digits,
/// and to the rows of a feature topic in a data directory. `log-record small [ROUNDS]` prints what a
/// batch of one row takes a single thread. Files are made in
/// `MILLRACE_BENCHMARK_DIR`, or where temporary files go.
@main
enum LogRecord {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.first == "small" {
            let rounds = arguments.dropFirst().first.flatMap { Int($0) } ?? 15
            return try SmallBatches.print(rounds: rounds)
        }
        if arguments.first == "storage" { return try storage(Array(arguments.dropFirst())) }
        let samples = arguments.first.flatMap { Int($0) } ?? 30
        let start = arguments.dropFirst().first ?? ""
        print("- Machine: \(Machine.processor), \(Machine.cores) cores, \(Machine.kernel)")
        print("- Files on \(try Machine.fileSystem()); \(Machine.kernels)")
        print("- Date: \(Date.now.ISO8601Format())")
        print("- Samples: \(samples) of each figure; medians, in brackets the middle half\n")
        print(FigureTable.head)
        for figure in Figure.all where figure.name.hasPrefix(start) {
            print(try row(of: figure, samples: samples))
        }
    }

    private static func storage(_ arguments: [String]) throws {
        print("| Rows | Columns | Filter | Rows a batch | Bytes a row | A row | Read | Append |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        try StorageTable.print(.digits())
        guard arguments.count == 2 else { return }
        try StorageTable.print(.topic(arguments[1], in: arguments[0], limit: 1 << 16))
    }

    private static func row(of figure: Figure, samples count: Int) throws -> String {
        let run = try FigureRun(figure)
        var samples: [Sample] = []
        // Twice as many turns as samples: a machine that is slow for long gives fewer.
        for _ in 0..<2 * count where samples.count < count {
            if let sample = try run.sample() { samples.append(sample) }
        }
        let ratio = Spread(samples.map(\.ratio))
        let ours = Spread(samples.map(\.ours))
        let bare = Spread(samples.map(\.bare))
        return FigureTable.line(
            figure.name, beside: figure.bare, figure.asked, ratio,
            ours: "\(ours) \(figure.unit)", other: "\(bare) \(figure.unit)",
            dropped: run.dropped, limit: figure.limit)
    }
}
