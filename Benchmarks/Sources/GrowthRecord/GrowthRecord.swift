internal import FoundationEssentials
internal import LogFigures

/// Measures how the cost of appending and scoring grows, one size at a time.
///
///     growth-record [AXIS [LARGEST [SAMPLES]]]
///
/// AXIS is `rows` (10^4 to 10^7; 10^8 takes 11 GB), `features` (8 to 1,024), `partitions` (1 to 256),
/// `slots` (1 to 8, or as many as there are cores) or `log` (1 to 5 GB, stored as they are; 20 take 24
/// GB); all when none is named. LARGEST is where to end. Everything else is as at the first size: an
/// LZ4 topic of float32 split into byte streams, batches of
/// 256 KiB, an MLP with hidden layers of 128 and 64 and 10 outputs, one partition, one core.
///
/// Rows are made of the shipped digits: column c of row r is pixel c mod 64 of image (r + c / 64) mod
/// 1,797, so that wider rows hold more images one behind the other.
@main
enum GrowthRecord {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let axes = try arguments.first.map { name in
            guard let axis = Axis(rawValue: name) else {
                throw Size.Failure(description: "usage: see the head of GrowthRecord.swift")
            }
            return [axis]
        }
        let largest = arguments.count > 1 ? Int(arguments[1]) : nil
        let samples = arguments.count > 2 ? Int(arguments[2]) ?? 3 : 3
        print("- Machine: \(Machine.processor), \(Machine.cores) cores, \(Machine.kernel)")
        print("- \(Machine.kernels); files on \(try Machine.fileSystem())")
        print("- Date: \(Date.now.ISO8601Format())")
        print("- Samples: \(samples); medians, in brackets the middle half")
        for axis in axes ?? Axis.allCases {
            print(
                "\n| \(axis.rawValue) | Rows | Append | Score | Score, a row | p99 of a batch "
                    + "| Private memory | Beside the best |")
            print("| --- | --- | --- | --- | --- | --- | --- | --- |")
            let sizes = axis.sizes(upTo: largest)
            let outcomes = try sizes.map { try GrowthJob($0.size).run(samples: samples) }
            let best = outcomes.map(\.cost.median).filter(\.isFinite).min() ?? .nan
            for (size, outcome) in zip(sizes, outcomes) {
                let share = decimal(outcome.cost.median / best)
                print("| \(size.value) | \(size.size.rows) | \(outcome.line) | \(share) |")
            }
        }
        print(
            "\nBeside the best: the time of a row for each operation of the model, over the "
                + "shortest of the table; with slots, of each slot's time.")
    }
}
